"""The figures of search as tables: on a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from eval.search.measuring import SIZES

NOTE = (
    "Recall: found rows whose true cosine is at least that of the k-th nearest, less 1e-4, which is what half precision rounds by. "
    "In brackets: 95 % intervals over queries. ms: processor time of one query, the quickest of three, median over queries."
)


def tables(figures: dict[str, Any]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Title, heads and rows of each table."""
    for name, found in figures["sets"].items():
        yield (
            f"{name}: index",
            ["build s", "MB", "proposals", "float32 scan ms"],
            [
                [
                    f"{found['build seconds']:.1f}",
                    f"{found['index bytes'] / 1e6:,.1f}",
                    f"{found['factor']:g}×",
                    f"{found['float32 scan ms']:.2f}",
                ]
            ],
        )
        heads = [f"{head} @{k}" for k in SIZES for head in ("found by", "recall", "ms")]
        yield (
            f"{name}: filters",
            ["rows that pass", "", *heads],
            [[line["filter"], f"{line['allowed']:,}", *_cells(line)] for line in found["filters"]],
        )
        yield (
            f"{name}: deltas",
            ["changed", "items", "segments", "load ms", *heads],
            [
                [f"{line['changed']:.0%}", f"{line['items']:,}", str(line["segments"]), f"{line['load ms']:.1f}", *_cells(line)]
                for line in found["deltas"]
            ],
        )


def _cells(line: dict[str, Any]) -> Iterator[str]:
    for k in SIZES:
        one = line[f"@{k}"]
        yield from (one["mode"], f"{one['recall']:.4f} [{one['low']:.4f}, {one['high']:.4f}]", f"{one['ms']:.2f}")


def show(figures: dict[str, Any], console: Console) -> None:
    """Print inputs and tables."""
    console.print(_inputs(figures))
    for title, heads, rows in tables(figures):
        table = Table(title=title, title_justify="left", box=None)
        for head in heads:
            table.add_column(head, justify="right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(NOTE)


def markdown(figures: dict[str, Any], command: str) -> str:
    """The same as a document."""
    lines = [f"Made by `{command}`.", "", _inputs(figures), "", NOTE]
    for title, heads, rows in tables(figures):
        lines += ["", f"## {title}", "", "| " + " | ".join(heads) + " |", "|" + "---:|" * len(heads)]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _inputs(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in figures["inputs"].items())
