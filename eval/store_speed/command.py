"""The command `recommender bench store`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

_folder = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command("store")
@click.option("--copy", type=_folder, help="Folder with a copy of a store, into which events are written; without it, a world is drawn.")
@click.option("--items", type=int, default=10_000, show_default=True, help="Items of the world that is drawn.")
@click.option("--users", type=int, default=20_000, show_default=True, help="Its people.")
@click.option("--events", type=int, default=200_000, show_default=True, help="Its events.")
@click.option("--singles", type=click.IntRange(1, 1_000_000), default=300, show_default=True, help="Calls of one event in a run.")
@click.option("--batches", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="Calls of a hundred events in a run.")
@click.option("--reads", type=click.IntRange(1, 10_000_000), default=5_000, show_default=True, help="Reads of people in a run.")
@click.option("--runs", type=click.IntRange(1, 20), default=3, show_default=True, help="Times that the store is opened and measured.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Same seed, same world and same people.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Also write all figures to this file.")
def bench_store(
    copy: Path | None,
    items: int,
    users: int,
    events: int,
    singles: int,
    batches: int,
    reads: int,
    runs: int,
    seed: int,
    json_file: Path | None,
) -> None:
    """Measure how fast a store records events and reads people.

    Without a network: `bench serve` measures the way through the server. Every event is on disk before its call returns. What is drawn
    is imported from a Parquet file, which is timed too, and goes away in the end.
    """
    from eval.store_speed.measure import Plan, imported, measured
    from eval.store_speed.report import show
    from eval.world.shape import Shape

    plan = Plan(singles, batches, reads, runs, seed)
    with TemporaryDirectory(prefix="recommender-store-") as temporary:
        figures = {} if copy is not None else imported(Shape(items, users, events, seed, dimension=8), Path(temporary))
        figures |= measured(copy or Path(temporary), plan, lambda sentence: click.echo(sentence, err=True))
    show(figures, sys.stdout)
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
