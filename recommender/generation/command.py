"""The commands `recommender generations …`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from recommender.errors import CorruptGeneration, NotFound
from recommender.generation.folder import Generations
from recommender.generation.writer_lock import writer_lock
from recommender.settings import load_settings

if TYPE_CHECKING:
    from recommender.remote.generations import RemoteGenerations
    from recommender.remote.writer import RemoteWriter

_DATA = click.option("--data", type=click.Path(path_type=Path), help="Folder of store, generations and caches.")
WIDEST = 500
"""Columns of a table at the most."""


def _generations(data: Path | None) -> Generations | RemoteGenerations:
    """The generations of a deployment, to be looked at."""
    settings = load_settings(data=data)
    if settings.generations is None:
        return Generations(settings.generations_path)
    from recommender.remote.generations import remote_of

    remote = remote_of(settings)
    assert remote is not None
    return remote


@contextmanager
def _changed(data: Path | None) -> Iterator[Generations | RemoteWriter]:
    """The generations of a deployment, to be changed: those at a remote place by leases of the store."""
    settings = load_settings(data=data)
    if settings.generations is None:
        yield Generations(settings.generations_path)
        return
    from recommender.remote.writer import remote_writer_of
    from recommender.store import open_store

    with open_store(settings.store_place) as store:
        remote = remote_writer_of(settings, store, lambda: datetime.now(UTC))
        assert remote is not None
        yield remote


def _where(generations: Generations | RemoteGenerations) -> str:
    return str(generations.root) if isinstance(generations, Generations) else generations.place.url


@click.group("generations", short_help="List, show, compare, activate, roll back, verify and prune generations.")
def generations_group() -> None:
    """List, show, compare, activate, roll back, verify and prune generations.

    Those at the remote place, where RECOMMENDER_GENERATIONS names one; the data folder is a cache of them then, and the leases of those who
    change anything are in the store.
    """


@generations_group.command("list")
@_DATA
def list_generations(data: Path | None) -> None:
    """List all generations, newest first; * marks the active one.

    NDCG@10 is that of the twin's blend on held-out time, with its 95 % interval.
    """
    generations = _generations(data)
    ids = generations.ids()
    if not ids:
        click.echo("no generation yet; build one with `recommender reindex`")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "id", "items", "events", "NDCG@10", "gate", "MB"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in ("items", "events", "MB") else "left")
    current = generations.current_id()
    corrupt: list[CorruptGeneration] = []
    for generation_id in ids:
        active = "*" if generation_id == current else ""
        try:
            manifest = generations.manifest(generation_id)
        except CorruptGeneration as error:
            corrupt.append(error)
            table.add_row(active, generation_id, "", "", "", "corrupt", "")
            continue
        blend = next((f"{m.mean:.4f} [{m.low:.3f}, {m.high:.3f}]" for m in manifest.metrics if m.name == "blend/ndcg@10"), "not judged")
        gate = "passed" if manifest.passed else "refused"
        table.add_row(active, generation_id, str(manifest.items), str(manifest.events), blend, gate, f"{manifest.size_bytes / 1e6:.1f}")
    # As wide as it is, whatever the terminal: an id that is cut short is no use to `activate`.
    console = Console(highlight=False, width=WIDEST)
    Console(highlight=False, width=Measurement.get(console, console.options, table).maximum).print(table)
    for each in corrupt:
        click.echo(str(each), err=True)


@generations_group.command()
@click.argument("generation_id", required=False)
@_DATA
def show(generation_id: str | None, data: Path | None) -> None:
    """Print the manifest of a generation (the active one without an id) as JSON."""
    generations = _generations(data)
    chosen = generation_id or generations.current_id()
    if chosen is None:
        raise NotFound("active generation below", _where(generations), "build one with `recommender reindex`")
    click.echo(json.dumps(generations.manifest(chosen).model_dump(mode="json"), indent=2))


@generations_group.command()
@click.argument("generation_id")
@click.option("--reason", default="", help="Why; required for a generation that its gate refused.")
@_DATA
def activate(generation_id: str, reason: str, data: Path | None) -> None:
    """Make a generation the serving one, after checking its files."""
    with _changed(data) as generations:
        previous = generations.activate(generation_id, now=datetime.now(UTC), reason=reason)
    click.echo(f"active: {generation_id}; before: {previous or 'none'}")


@generations_group.command()
@click.option("--reason", default="", help="Why; recorded.")
@_DATA
def rollback(reason: str, data: Path | None) -> None:
    """Go back to the generation that was active before."""
    with _changed(data) as generations:
        active, before = generations.rollback(now=datetime.now(UTC), reason=reason)
    click.echo(f"active: {active}; before: {before}")


@generations_group.command()
@click.argument("generation_id", required=False)
@_DATA
def verify(generation_id: str | None, data: Path | None) -> None:
    """Check every file of a generation (of all without an id) against its manifest."""
    generations = _generations(data)
    chosen = [generation_id] if generation_id else generations.ids()
    if not chosen:
        click.echo("no generation yet; build one with `recommender reindex`")
    bad: list[CorruptGeneration] = []
    for each in chosen:
        try:
            manifest = generations.verify(each)
            click.echo(f"{each}: {len(manifest.files)} files as the manifest says")
        except CorruptGeneration as error:
            bad.append(error)
            click.echo(str(error), err=True)
    if bad:
        raise bad[0]


@generations_group.command()
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@_DATA
def diff(before: str, after: str, as_json: bool, data: Path | None) -> None:
    """Set generation AFTER beside BEFORE: settings that differ, counts, items, figures with their intervals, and checks."""
    from recommender.generation.diff_command import WIDEST, diff_json, show_diff
    from recommender.generation.difference import difference_of

    found = difference_of(_generations(data), before, after)
    if as_json:
        click.echo(diff_json(found))
    else:
        show_diff(found, Console(highlight=False, markup=False, width=WIDEST))


@generations_group.command()
@click.option("--keep", type=click.IntRange(min=1), required=True, help="Newest generations to keep.")
@click.option("--dry-run", is_flag=True, help="Only say which ones would be removed.")
@_DATA
def prune(keep: int, dry_run: bool, data: Path | None) -> None:
    """Remove all but the newest generations; the active one and the one to go back to stay as well.

    Exit status: 0 done, 75 a build or another pruning is running.
    """
    generations = _generations(data)
    if dry_run:
        removed = generations.to_prune(keep)
    else:
        with _changed(data) as changed, writer_lock(changed.root, now=datetime.now(UTC), what="pruning"):
            removed = changed.prune(keep)
    for generation_id in removed:
        click.echo(f"{'would be removed' if dry_run else 'removed'}: {generation_id}")
    if not removed:
        click.echo(f"nothing to remove: {len(generations.ids())} generations, {keep} to keep")
