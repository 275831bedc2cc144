"""The command `recommender bench live`."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("live")
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of a store with an active generation."
)
@click.option("--items", type=click.IntRange(1, 100_000), default=600, show_default=True, help="New items that are published.")
@click.option("--rate", type=click.FloatRange(0.1, 1_000), default=10.0, show_default=True, help="How many of them a second.")
@click.option("--servers", type=click.IntRange(1, 16), default=2, show_default=True, help="Server processes on the store.")
@click.option("--hides", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="Items that are hidden.")
@click.option("--at-once", type=click.IntRange(1, 100), default=10, show_default=True, help="How many of them in one call.")
@click.option("--seconds", type=click.FloatRange(min=0.2, max=600), default=5.0, show_default=True, help="How long feeds are asked for.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same items.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Also write all figures to this file.")
def bench_live(
    data: Path, items: int, rate: float, servers: int, hides: int, at_once: int, seconds: float, seed: int, json_file: Path | None
) -> None:
    """Measure how soon new items can be recommended, what they cost, and whether hidden ones are gone.

    Real servers run on a copy of the store, and `recommender watch` beside them. Items are published at a constant rate, and each is
    timed from the moment at which it was due until every server has it: in feeds, by all but its text, and among what is like another
    item, by its text. Then items are hidden, and every server is asked at once whether it shows them.
    """
    from rich.console import Console

    from server.bench.live import Plan, measure_live
    from server.bench.report import show

    plan = Plan(items=items, rate=rate, servers=servers, hides=hides, at_once=at_once, seconds=seconds, seed=seed)
    figures = measure_live(data, plan, lambda sentence: click.echo(sentence, err=True))
    show(figures, Console(highlight=False))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
