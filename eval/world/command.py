"""The command `recommender bench world`."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("world")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--items", type=int, default=100_000, show_default=True, help="Items, 100 to 10 million.")
@click.option("--users", type=int, default=100_000, show_default=True, help="People, 10 to 100 million.")
@click.option("--events", type=int, default=2_000_000, show_default=True, help="Events, 100 to a thousand million.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same shape and seed, same world.")
@click.option("--dimension", type=int, default=384, show_default=True, help="Length of the items' vectors.")
@click.option("--days", type=int, default=120, show_default=True, help="How long the history takes.")
def world(folder: Path, items: int, users: int, events: int, seed: int, dimension: int, days: int) -> None:
    """Write a synthetic world to FOLDER as import files.

    A few items draw most of the attention, people's interests cluster and drift, news age fast and films slowly, and every item
    brings a vector, so that no model is needed. The same options give the same files. A folder that holds the world already is
    left as it is.
    """
    from eval.world.files import EVENTS, ITEMS, write_world
    from eval.world.shape import Shape
    from indexing.progress import reporter

    made = write_world(Shape(items, users, events, seed, dimension, days), folder, reporter(sys.stderr))
    click.echo(f"{items:,} items, {events:,} events of {made.people:,} people, {made.shape.start:%Y-%m-%d} to {made.shape.end:%Y-%m-%d}")
    click.echo(f"recommender import items {folder / ITEMS}")
    click.echo(f"recommender import events {folder / EVENTS}")
    click.echo("recommender reindex")
