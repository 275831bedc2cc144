"""The command `recommender store retention`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.retention import Expiring

WIDTH = 160
"""Columns of the table, whatever the terminal."""


@click.command("retention")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of store, generations and caches.")
@click.option("--apply", "act", is_flag=True, help="Let it go, instead of only showing it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def retention(data: Path | None, act: bool, as_json: bool) -> None:
    """Show what the rules of the settings would let go, or let it go with --apply.

    Events, sessions that nobody came back to, and the served log; below the generations' folder what a gate refused and what killed builds
    left. `recommender reindex` does the same at its end. Servers may go on meanwhile. It may be killed at any point and started again.

    Exit status: 0 done, 75 a build or another pruning is running (with --apply).
    """
    from recommender.generation import Generations
    from recommender.generation.writer_lock import writer_lock
    from recommender.retention import Rules, apply, due
    from recommender.settings import load_settings
    from recommender.store.store import open_store

    settings = load_settings(data=data)
    rules, generations, now = Rules.of(settings), Generations(settings.generations_path), datetime.now(UTC)
    with open_store(settings.store_place) as store:
        if act:
            with writer_lock(generations.root, now=now, what="retention"):
                expired = apply(store, generations, rules, now=now)
            found, notes, record = expired.expiring, expired.notes, expired.as_json()
        else:
            waiting = due(store, generations, rules, now=now)
            found, notes, record = waiting.expiring, waiting.notes, waiting.as_json()
    if as_json:
        click.echo(json.dumps(record, indent=2))
        return
    show(found, notes, act)


def show(found: Sequence[Expiring], notes: Sequence[str], gone: bool) -> None:
    """Print what goes by each rule, or what is `gone`, and what is to be said of it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    numbers = ("days", "gone" if gone else "to go", "stay", "partitions", "about MB")
    for heading in ("", *numbers, "oldest", "newest", ""):
        table.add_column(heading, no_wrap=True, justify="right" if heading in numbers else "left")
    for each in found:
        by_number = each.rule not in ("refused", "unfinished")
        table.add_row(
            each.rule,
            str(each.days or "for ever"),
            f"{each.count:,}",
            f"{each.kept:,}" if by_number else "",
            f"{each.partitions:,}" if each.rule in ("events", "decisions") else "",
            f"{each.bytes / 1e6:,.1f}",
            str(each.oldest or ""),
            str(each.newest or ""),
            " ".join(each.ids),
        )
    # As wide as it is, whatever the terminal.
    Console(file=sys.stdout, highlight=False, width=WIDTH).print(table)
    for note in notes:
        click.echo(f"note: {note}")
    if not gone and any(each.count for each in found):
        click.echo("let it go with: recommender store retention --apply")
