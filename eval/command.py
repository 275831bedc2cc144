"""The command `recommender eval`."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from recommender.judging.comparison import comparison_table, shown_interval
from recommender.placements import Placements, load_placements
from recommender.profile import load_build_settings
from recommender.settings import load_settings
from recommender.times import from_micros, parse_time, to_micros


def _moment(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    return None if text is None else parse_time(text, parameter.opts[0])


@click.command("eval", short_help="Judge the engine on held-out time.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of store, generations and caches.")
@click.option("--build", "build_file", type=click.Path(path_type=Path), help="TOML file of build settings to judge; defaults without it.")
@click.option("--placements", type=click.Path(path_type=Path), help="TOML file of placements.")
@click.option("--placement", "name", default="", help="The placement to judge; the first one without it.")
@click.option("--cut", callback=_moment, metavar="TIME", help="Learn from events before this moment, judge on those after it.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Newest share of events to judge on, where no --cut is given.",
)
@click.option("--until", callback=_moment, metavar="TIME", help="Use no events from this moment on (for tuning before a test period).")
@click.option(
    "--reveal",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.5,
    show_default=True,
    help="Share of each person's events after the cut that count as history.",
)
@click.option("--people", type=click.IntRange(min=1), default=5_000, show_default=True, help="People judged at the most.")
@click.option("--json", "json_report", type=click.Path(path_type=Path), help="Also write all figures as JSON to this file.")
def evaluate(
    data: Path | None,
    build_file: Path | None,
    placements: Path | None,
    name: str,
    cut: datetime | None,
    share: float,
    until: datetime | None,
    reveal: float,
    people: int,
    json_report: Path | None,
) -> None:
    """Judge build settings and a placement on the store's own events, cut in time.

    Fits on the events before the cut and ranks the whole catalogue, with the serving engine, for everybody who took up
    something new after it; publishes nothing. Prints each source alone, the blend, and paired 95 % intervals.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from eval.evaluation import evaluate as run
    from indexing.progress import reporter

    settings = load_settings(data=data, placements=placements)
    known = load_placements(settings.placements) if settings.placements else Placements.default()
    build, placement = load_build_settings(build_file), known.get(name)
    result = run(
        settings,
        build,
        placement,
        reporter(sys.stderr),
        cut=None if cut is None else to_micros(cut),
        share=share,
        until=None if until is None else to_micros(until),
        reveal=reveal,
        people=people,
    )
    comparison, console = result.comparison, Console()
    moment = f"{from_micros(result.protocol.cut):%Y-%m-%d %H:%M} UTC"
    settings_named = f"profile {build.hash}, placement {placement.name} ({placement.version})"
    title = f"{len(comparison.held_out)} people after {moment}, {result.fitted} events learnt from, {settings_named}"
    console.print(comparison_table(comparison, title))
    best = comparison.best_part
    console.print(f"blend − best part ({best}), NDCG@10: {shown_interval(comparison.blend_over(best), signed=True)}", highlight=False)
    table = Table("history", "people", "blend NDCG@10", title="By length of history", title_justify="left")
    for length, (count, interval) in result.by_length.items():
        table.add_row(length, str(count), shown_interval(interval))
    console.print(table)
    if json_report is not None:
        figures = {
            "profile": build.hash,
            "placement": {"name": placement.name, "version": placement.version},
            "cut": from_micros(result.protocol.cut).isoformat(),
            "people": len(comparison.held_out),
            "fitted_events": result.fitted,
            "variants": {
                variant: {metric: vars(interval) for metric, interval in judgement.intervals.items()}
                for variant, judgement in comparison.judgements.items()
            },
            "blend_over": {variant: vars(comparison.blend_over(variant)) for variant in comparison.judgements if variant != "blend"},
            "by_history_length": {length: {"people": count, **vars(interval)} for length, (count, interval) in result.by_length.items()},
        }
        json_report.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
