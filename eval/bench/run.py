"""A run of the quality benchmark over several sets: tables, the log of test evaluations, and figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from eval.bench.impressions import measure_impressions
from eval.bench.quality import Result, measure
from eval.bench.sets import BENCHMARKS
from indexing.progress import Reporter
from recommender.errors import InvalidInput
from recommender.judging.comparison import shown_interval
from recommender.placements import Placement, Placements
from recommender.profile import BuildSettings

LIBRARIES = ("numpy", "scipy", "faiss-cpu", "implicit", "lightgbm")


def run_quality(
    data: Path,
    names: Sequence[str],
    settings: BuildSettings,
    cache: Path,
    report: Reporter,
    *,
    people: int,
    ablate: bool,
    json_report: Path | None,
    log: Path,
    now: datetime,
) -> list[Result]:
    """Measure the sets `names` below `data`, or all that are there. Raises `InvalidInput` for an unknown set and where none is there."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise InvalidInput("set", ", ".join(unknown), f"among {', '.join(BENCHMARKS)}")
    wanted = [BENCHMARKS[name] for name in names or BENCHMARKS]
    absent = [benchmark for benchmark in wanted if not (data / benchmark.folder).is_dir()]
    if len(absent) == len(wanted):
        raise InvalidInput("data", str(data), f"a folder that holds at least one of {', '.join(sorted({b.folder for b in wanted}))}")
    placement, console = Placements.default().get(""), Console()
    console.print(
        f"profile {settings.hash}, placement {placement.name} ({placement.version}), "
        f"{', '.join(f'{name} {version(name)}' for name in LIBRARIES)}",
        highlight=False,
    )
    results = []
    for benchmark in wanted:
        if benchmark in absent:
            console.print(f"{benchmark.name}: skipped, there is no folder {data / benchmark.folder}", highlight=False)
            continue
        folder = data / benchmark.folder
        if benchmark.splits is None:
            result = measure_impressions(benchmark, folder, cache, settings, placement, report)
        else:
            result = measure(benchmark, folder, cache, settings, placement, report, people=people, ablate=ablate)
        _note(log, result, settings, placement, now)
        _show(console, result)
        results.append(result)
        if json_report is not None:
            json_report.write_text(json.dumps([_figures(each) for each in results], indent=2) + "\n", encoding="utf-8")
    return results


def _note(log: Path, result: Result, settings: BuildSettings, placement: Placement, now: datetime) -> None:
    """Append the evaluation to the log."""
    entry = {
        "at": now.isoformat(timespec="seconds"),
        "set": result.benchmark.name,
        "profile": settings.hash,
        "placement": placement.version,
        "people": result.people,
        "changed": settings.model_dump(mode="json", exclude_defaults=True),
        **{figure.measure.metric: round(figure.interval.mean, 5) for figure in result.figures},
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def _show(console: Console, result: Result) -> None:
    benchmark = result.benchmark
    table = Table(
        title=f"{benchmark.name}: {result.people:,} queries, {benchmark.protocol}", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for heading in ("measure", "this", "best published", "must", "aim", ""):
        table.add_column(heading, justify="left" if heading in ("measure", "") else "right", no_wrap=True)
    for figure in result.figures:
        given, mean = figure.measure, figure.interval.mean
        missed = "" if given.must is None else "reached" if mean >= given.must else "MISSED"
        reached = "aim reached" if mean >= (given.aim or 2) else missed
        cells = ["–" if value is None else f"{value:.4f}" for value in (given.published, given.must, given.aim)]
        table.add_row(given.metric, shown_interval(figure.interval), *cells, reached)
    console.print(table)
    if benchmark.source:
        console.print(f"published: {benchmark.source}", highlight=False)
    sources = Table("source", result.leading, "blend's lead", "p", "blend's loss without it", box=None, padding=(0, 2, 0, 0))
    for name, interval in sorted(result.singles.items(), key=lambda entry: -entry[1].mean):
        lead, p = result.leads.get(name, (None, None))
        without = result.without.get(f"without {name}")
        sources.add_row(
            name,
            shown_interval(interval),
            shown_interval(lead, signed=True) if lead else "",
            f"{p:.4f}" if p is not None else "",
            shown_interval(without, signed=True) if without else "",
            style="bold" if name == "blend" else "",
        )
    console.print(sources)
    for name, (interval, p) in result.against.items():
        console.print(
            f"blend over {name}: {interval.mean:.2f} times [{interval.low:.2f}, {interval.high:.2f}], p = {p:.4f}", highlight=False
        )
    lengths = Table("history", "queries", result.leading, box=None, padding=(0, 2, 0, 0))
    for length, (count, interval) in result.by_length.items():
        lengths.add_row(length, f"{count:,}", shown_interval(interval))
    console.print(lengths)
    for note in result.notes:
        console.print(note, highlight=False)
    gain = result.ranker_gain
    judged = f" (NDCG@20 {shown_interval(gain, signed=True)} on people held out from its training)" if gain else ""
    if result.exhaustive is not None:
        whole, served = result.exhaustive
        console.print(
            f"with all candidates ranked {whole.mean:.4f}, as served {served.mean:.4f} ({result.leading}, same people)", highlight=False
        )
    console.print(
        f"weights {', '.join(f'{name} {weight:.2f}' for name, weight in result.weights.items()) or 'of the placement'}; "
        f"ranker {'used' if result.ranker else 'not used'}{judged}; "
        f"fit {result.fit_s:.0f} s of processor time, peak {result.peak_mb:,.0f} MB\n",
        highlight=False,
    )


def _figures(result: Result) -> dict[str, Any]:
    return {
        "set": result.benchmark.name,
        "protocol": result.benchmark.protocol,
        "people": result.people,
        "figures": {
            figure.measure.metric: {**vars(figure.interval), **{k: v for k, v in vars(figure.measure).items() if k != "metric"}}
            for figure in result.figures
        },
        "leading": result.leading,
        "sources": {name: vars(interval) for name, interval in result.singles.items()},
        "leads": {name: {**vars(interval), "p": p} for name, (interval, p) in result.leads.items()},
        "without": {name: vars(interval) for name, interval in result.without.items()},
        "against": {name: {**vars(interval), "p": p} for name, (interval, p) in result.against.items()},
        **({} if result.exhaustive is None else {"exhaustive": vars(result.exhaustive[0]), "served": vars(result.exhaustive[1])}),
        "notes": list(result.notes),
        "by_history_length": {name: {"people": count, **vars(interval)} for name, (count, interval) in result.by_length.items()},
        "weights": dict(result.weights),
        "ranker": result.ranker,
        "importance": dict(result.importance),
        "fit_s": result.fit_s,
        "peak_mb": result.peak_mb,
    }
