"""The nights of a soak as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table

from eval.retention_soak.simulation import THIRDS, Night, growth


def show(nights: Sequence[Night], stream: TextIO) -> None:
    """Print a row for each night, and by how much the store grew over the last third."""
    console = Console(file=stream, highlight=False, width=140)
    table = Table(box=None)
    for heading in ("day", "MB", "free MB", "events", "sessions", "users", "decisions", "expired", "seconds", "longest wait ms"):
        table.add_column(heading, justify="right")
    for night in nights:
        table.add_row(
            str(night.day),
            f"{night.bytes / 1e6:,.1f}",
            f"{night.free / 1e6:,.1f}",
            *(f"{rows:,}" for rows in (night.events, night.sessions, night.users, night.decisions, night.expired)),
            f"{night.seconds:.2f}",
            "" if night.longest_ms is None else f"{night.longest_ms:,.0f}",
        )
    console.print(table)
    third = len(nights) // THIRDS
    first, last = nights[-1 - third], nights[-1]
    console.print(
        f"over the last third, from day {first.day} to day {last.day}, the store grew by {100 * growth(list(nights)):+.1f} %, "
        f"from {first.bytes / 1e6:,.1f} to {last.bytes / 1e6:,.1f} MB"
    )
