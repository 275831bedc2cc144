"""The figures of a server as tables: on a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

TITLES = {
    "profile": "One feed for a known person who is no regular, stage by stage, in the order in which stages end",
    "composing": "The same feed by placements that ask for more: the handler alone",
    "start": "Start",
    "methods": "One method at a time, each connection waiting for its answer: processor time",
    "saturation": "Mixed calls, as many as the server can do",
    "latency": "Mixed calls at a constant rate, timed from when each was due",
    "events beside feeds": "One event a call, 500 a second, beside feeds at a quarter of saturation",
    "events in batches": "A hundred events a call, as many as the server can do",
    "overload": "Mixed calls at twice the rate of saturation",
    "swap": "Feeds among mixed calls at half of saturation, while a new generation takes over and without",
    "worst run": "Feeds in the run that did worst",
    "swapped": "How the new generation took over",
    "memory": "Memory of the server in the end",
    "published": "Seconds from when an item was due to be published until every server has it",
    "feeds": "Processor time of a server for a feed that is made anew",
    "hidden": "Items that are hidden, and what every server shows at once after",
}
SPLIT = {"methods": ("p50 ms", "The same calls: how long they took")}
"""Tables too wide for a terminal: from which column on they go on as a table of its own, with what title."""


def tables(figures: dict[str, Any]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Title, heads and rows of each table."""
    for name, title in TITLES.items():
        rows = figures.get(name)
        if rows is None:
            continue
        if not any(isinstance(value, dict) for value in rows.values()):
            yield title, list(rows), [[_shown(value) for value in rows.values()]]
            continue
        heads = list(dict.fromkeys(head for row in rows.values() for head in row))
        first, further = SPLIT.get(name, ("", ""))
        cut = heads.index(first) if first in heads else len(heads)
        for words, part in ((title, heads[:cut]), (further, heads[cut:])):
            if part:
                yield words, ["", *part], [[label, *(_shown(row.get(head)) for head in part)] for label, row in rows.items()]


def inputs_in_words(figures: dict[str, Any]) -> Iterator[str]:
    """One line on each input."""
    for name, value in figures["inputs"].items():
        yield f"{name}: " + (", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else _shown(value))


def show(figures: dict[str, Any], console: Console) -> None:
    """Print inputs and tables."""
    for line in inputs_in_words(figures):
        console.print(line)
    for title, heads, rows in tables(figures):
        table = Table(title=title, title_justify="left", box=None)
        for place, head in enumerate(heads):
            table.add_column(head, justify="left" if place == 0 and not head else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def markdown(figures: dict[str, Any], command: str) -> str:
    """The same as a document."""
    lines = [f"Made by `{command}`; medians of {figures['inputs']['runs']} runs.", ""]
    lines += [f"- {line}" for line in inputs_in_words(figures)]
    for title, heads, rows in tables(figures):
        lines += ["", f"## {title}", "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
