"""A run of the quality benchmark over what lies in a folder: tables as sets are done, and the whole as JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from eval.bench import blocks
from eval.bench.apart import Task, measured_apart
from eval.bench.bandits import SIMULATION, Bandit, simulate
from eval.bench.discovery import discover
from eval.bench.figures import figures_of
from eval.bench.markdown import markdown
from eval.bench.off_policy_blocks import direction, simulation
from eval.bench.published import plain
from eval.bench.report import Report
from eval.bench.result import Result
from eval.bench.sets import Benchmark
from eval.bench.terminal import show, show_set
from eval.looks import versions
from eval.outputs.writing import check_outputs, write_text
from indexing.progress import Reporter
from recommender.errors import InvalidInput, RecommenderError


@dataclass(frozen=True)
class Outputs:
    """Files that are written anew after each set, None for none; `command` is named in the Markdown document as what makes it."""

    json: Path | None = None
    markdown: Path | None = None
    command: str = "recommender bench quality"

    def check(self) -> None:
        """Raise `InvalidInput` naming the option for a file that could not be written."""
        check_outputs({"--json": self.json, "--markdown": self.markdown})

    def write(self, report: Report) -> None:
        """What is known so far, whole."""
        if self.json is not None:
            write_text(self.json, json.dumps(figures_of(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        if self.markdown is not None:
            write_text(self.markdown, markdown(report, self.command))


def run_quality(
    data: Path,
    names: Sequence[str],
    task: Task,
    progress: Reporter,
    *,
    outputs: Outputs | None = None,
    replications: int = 500,
    measured: Callable[[Benchmark, Task], Result | str] = measured_apart,
) -> Report:
    """Measure the sets `names` of `data`, or all that are there; `replications`: simulated logs, 0 for none.

    `measured` gives what a set came to, or a sentence on why it could not be judged. Raises `InvalidInput` for a folder without sets and
    for an unknown set, listing what was found, and `RecommenderError` where nothing could be judged.
    """
    outputs = outputs or Outputs()
    outputs.check()
    simulated = replications > 0 and (not names or SIMULATION in names)
    named = [name for name in names if plain(name) != plain(SIMULATION)]
    if names and not named and replications == 0:
        raise InvalidInput("set", ", ".join(names), "with --off-policy-replications 0 another set than the simulated logs")
    found = discover(data)
    wanted = found.chosen(named) if named or not names else replace(found, benchmarks=(), bandits=(), skipped=())
    console = Console()
    report = Report(task.now, task.settings, task.placement, versions(), skipped=wanted.skipped)
    for sentence in (f"{report.profile_in_words[:1].upper()}{report.profile_in_words[1:]}", report.versions_in_words, *wanted.skipped):
        console.print(sentence, highlight=False, markup=False)
    console.print()
    for benchmark in wanted.benchmarks:
        outcome = measured(benchmark, task)
        if isinstance(outcome, str):
            report = _skipped(console, report, outcome)
        else:
            show_set(console, outcome)
            report = replace(report, results=(*report.results, outcome))
        outputs.write(report)
    for bandit in wanted.bandits:
        report = _with_bandit(console, report, bandit, progress)
        outputs.write(report)
    if simulated:
        with progress.stage("off-policy: simulated logs") as advance:
            report = replace(report, simulated=tuple(simulate(replications, progress=advance)))
        for world in report.simulated:
            show(console, simulation(world))
            console.print()
        outputs.write(report)
    if len(report.results) > 1:
        show(console, blocks.summary(report.results))
        show(console, blocks.costs(report.results))
        for result in report.results:
            console.print(blocks.beaten_in_words(result), highlight=False, markup=False)
    if (wanted.benchmarks or wanted.bandits) and not report.results and not report.directions:
        raise RecommenderError(f"nothing was judged: {'; '.join(report.skipped)}")
    return report


def _with_bandit(console: Console, report: Report, bandit: Bandit, progress: Reporter) -> Report:
    try:
        with progress.stage(f"{bandit.name}: off-policy estimates"):
            directions = bandit.directions()
    except RecommenderError as error:
        return _skipped(console, report, f"{bandit.name}: skipped, {error}")
    for one_way in directions:
        show(console, direction(bandit.name, one_way))
    console.print()
    return replace(report, directions={**(report.directions or {}), bandit.name: directions})


def _skipped(console: Console, report: Report, sentence: str) -> Report:
    console.print(sentence, highlight=False, markup=False)
    return replace(report, skipped=(*report.skipped, sentence))
