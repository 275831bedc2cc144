"""`recommender store`: make or upgrade a store, and see what is in it."""

from __future__ import annotations

from pathlib import Path

import click

from recommender.errors import RecommenderError
from recommender.settings import load_settings
from recommender.store.migration import migrate_store
from recommender.store.schema import SCHEMA_VERSION
from recommender.store.store import open_store

_DATA = click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder that holds the store.")


@click.group("store")
def store_group() -> None:
    """Make, upgrade and look into the store."""


@store_group.command("migrate")
@_DATA
def migrate(data: Path | None) -> None:
    """Make the store, or bring its schema up to date; safe to run at any time."""
    try:
        path = load_settings(data=data).store_path
        version = migrate_store(path)
    except RecommenderError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{path} has schema {version}")


@store_group.command("info")
@_DATA
def info(data: Path | None) -> None:
    """Print what the store holds, its schema version and its size."""
    try:
        path = load_settings(data=data).store_path
        lines = _described(path)
    except RecommenderError as error:
        raise click.ClickException(str(error)) from error
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{name:<{width}}  {value}")


def _described(path: Path) -> list[tuple[str, str]]:
    with open_store(path) as opened:
        counts = opened.counts()
        days = opened.event_days()
        newest = opened.change_sequence()
    span = f", on {len(days):,} days from {days[0]} to {days[-1]}" if days else ""
    items = f"{counts.items_live:,} live, {counts.items_hidden:,} hidden, {counts.items_deleted:,} deleted"
    return [
        ("store", str(path)),
        ("schema", SCHEMA_VERSION),
        ("items", items),
        ("events", f"{counts.events:,}{span}"),
        ("people", f"{counts.users:,} users, {counts.sessions:,} sessions"),
        ("decisions", f"{counts.decisions:,}"),
        ("sequence", f"{newest:,}"),
        ("size", _size(path)),
        ("write-ahead log", _size(path.with_name(path.name + "-wal"))),
    ]


def _size(path: Path) -> str:
    size = path.stat().st_size if path.exists() else 0
    return f"{size / 1e6:,.1f} MB"
