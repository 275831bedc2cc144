"""The command `recommender bench retention`."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

_RULE = click.IntRange(0, 36_500)


@click.command("retention")
@click.option("--days", type=click.IntRange(3, 3_650), default=30, show_default=True, help="Days that are simulated.")
@click.option("--events", type=click.IntRange(1, 10_000_000), default=20_000, show_default=True, help="Events of a day.")
@click.option("--feeds", type=click.IntRange(0, 10_000_000), default=4_000, show_default=True, help="Served records of a day.")
@click.option("--items", type=click.IntRange(1, 1_000_000), default=500, show_default=True, help="Items.")
@click.option("--event-days", type=_RULE, default=10, show_default=True, help="The setting event_days; 0 keeps events for ever.")
@click.option("--session-days", type=_RULE, default=7, show_default=True, help="The setting session_days; 0 keeps sessions for ever.")
@click.option("--decision-days", type=_RULE, default=5, show_default=True, help="The setting decision_days; 0 keeps the log for ever.")
@click.option("--url", help="Of an empty PostgreSQL database to write into; without it, a SQLite file that goes away in the end.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Same seed, same days.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Also write all figures to this file.")
def bench_retention(
    days: int,
    events: int,
    feeds: int,
    items: int,
    event_days: int,
    session_days: int,
    decision_days: int,
    url: str | None,
    seed: int,
    json_file: Path | None,
) -> None:
    """Show how large a store grows under the rules of retention, on simulated days of the same volume.

    Time is given, so that a month takes as long as writing its events. Each night what has expired goes, while somebody sends events, one
    after the other; the longest that one of them waited is shown.
    """
    from eval.retention_soak.days import Volume
    from eval.retention_soak.report import show
    from eval.retention_soak.simulation import growth, simulated
    from recommender.retention import Rules

    volume = Volume(events, feeds, items, seed)
    rules = Rules(event_days, 0, session_days, decision_days, refused_days=0, unfinished_days=0, late_days=0)
    # As wide as the rule allows, and no wider than it is by default.
    dedup_days = min(14, event_days) if event_days else 14
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with TemporaryDirectory(prefix="recommender-retention-") as folder:
        nights = simulated(
            url or Path(folder) / "store.sqlite",
            volume,
            rules,
            days=days,
            start=start,
            dedup_days=dedup_days,
            busy=True,
            tell=lambda night: click.echo(f"day {night.day} of {days}: {night.bytes / 1e6:,.1f} MB", err=True),
        )
    what = "PostgreSQL" if url else f"SQLite {sqlite3.sqlite_version}"
    click.echo(
        f"{what}, Python {platform.python_version()}, {os.cpu_count()} cores; a day: {events:,} events of {volume.users:,} users and "
        f"{volume.sessions:,} new sessions, {feeds:,} served records; kept: events {event_days} days, sessions {session_days}, "
        f"served log {decision_days} (0: for ever); seed {seed}"
    )
    show(nights, sys.stdout)
    if json_file is not None:
        figures = {"nights": [night.as_json() for night in nights], "growth": growth(nights)}
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
