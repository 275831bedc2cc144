"""The figures of a store as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table


def show(figures: Mapping[str, Mapping[str, Any]], stream: TextIO) -> None:
    """Print what the store holds, and a row for each measurement."""
    console = Console(file=stream, highlight=False, width=140)
    console.print("store: " + ", ".join(f"{value:,.0f} {name}" for name, value in figures["store"].items()))
    rows = {name: row for name, row in figures.items() if name != "store"}
    heads = list(dict.fromkeys(head for row in rows.values() for head in row))
    table = Table("", box=None)
    for head in heads:
        table.add_column(head, justify="right")
    for name, row in rows.items():
        table.add_row(name, *(_shown(row.get(head)) for head in heads))
    console.print(table)


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
