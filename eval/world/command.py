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
@click.option("--deltas", type=int, default=0, show_default=True, help="Files of what changes after the history's end.")
@click.option(
    "--delta-items", type=int, default=1_000, show_default=True, help="Items in each of them, one in five of which was there before."
)
@click.option("--words", type=int, default=0, show_default=True, help="Texts of so many words for a model to embed, in place of vectors.")
def world(
    folder: Path, items: int, users: int, events: int, seed: int, dimension: int, days: int, deltas: int, delta_items: int, words: int
) -> None:
    """Write a synthetic world to FOLDER as import files.

    A few items draw most of the attention, people's interests cluster and drift, news age fast and films slowly, and every item
    brings a vector, so that no model is needed, unless there are --words. The same options give the same files. A folder that holds
    the world already is left as it is.
    """
    from eval.world.files import EVENTS, ITEMS, write_deltas, write_world
    from eval.world.shape import Shape
    from indexing.progress import reporter

    progress = reporter(sys.stderr)
    made = write_world(Shape(items, users, events, seed, dimension, days, words=words), folder, progress)
    changes = write_deltas(made, deltas, delta_items, progress)
    click.echo(f"{items:,} items, {events:,} events of {made.people:,} people, {made.shape.start:%Y-%m-%d} to {made.shape.end:%Y-%m-%d}")
    click.echo(f"recommender import items {folder / ITEMS}")
    click.echo(f"recommender import events {folder / EVENTS}")
    click.echo("recommender reindex")
    for path in changes[:1]:
        click.echo(f"recommender import items {path}" + (f", and {len(changes) - 1} more such files" if changes[1:] else ""))
