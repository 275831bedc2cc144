"""`recommender store`: make or upgrade a store, see what is in it, and what is to go from it."""

from __future__ import annotations

from pathlib import Path

import click

from recommender.errors import RecommenderError
from recommender.settings import load_settings
from recommender.store.places import database_at, migrate_store
from recommender.store.retention_command import retention
from recommender.store.schema import SCHEMA_VERSION
from recommender.store.store import open_store

_DATA = click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder that holds the store.")


@click.group("store")
def store_group() -> None:
    """Make, upgrade, look into and clear the store."""


store_group.add_command(retention)


@store_group.command("migrate")
@_DATA
def migrate(data: Path | None) -> None:
    """Make the store, or bring its schema up to date; safe to run at any time."""
    try:
        where = load_settings(data=data).store_place
        version = migrate_store(where)
        name = database_at(where).name
    except RecommenderError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{name} has schema {version}")


@store_group.command("info")
@_DATA
def info(data: Path | None) -> None:
    """Print what the store holds, its schema version and its size."""
    try:
        lines = _described(load_settings(data=data).store_place)
    except RecommenderError as error:
        raise click.ClickException(str(error)) from error
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{name:<{width}}  {value}")


def _described(where: Path | str) -> list[tuple[str, str]]:
    with open_store(where) as opened:
        counts = opened.counts()
        days = opened.event_days()
        newest = opened.change_sequence()
    sizes = [(what, f"{size / 1e6:,.1f} MB") for what, size in database_at(where).sizes()]
    span = f", on {len(days):,} days from {days[0]} to {days[-1]}" if days else ""
    items = f"{counts.items_live:,} live, {counts.items_hidden:,} hidden, {counts.items_deleted:,} deleted"
    return [
        ("store", opened.name),
        ("schema", SCHEMA_VERSION),
        ("items", items),
        ("events", f"{counts.events:,}{span}"),
        ("people", f"{counts.users:,} users, {counts.sessions:,} sessions"),
        ("decisions", f"{counts.decisions:,}"),
        ("sequence", f"{newest:,}"),
        *sizes,
    ]
