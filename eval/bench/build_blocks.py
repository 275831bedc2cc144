"""The figures of a build as tables, the same ones on a terminal and in a Markdown document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eval.bench.blocks import Block
from eval.bench.markdown import block_lines

TITLES = {
    "build": "The whole build",
    "stages": "Stages",
    "parts": "Parts of stages, some of which run beside each other",
    "files": "Files of the generation",
    "nights": "A second night beside the first",
    "export": "Everybody's feed",
}


def build_blocks(figures: Mapping[str, Any]) -> Iterator[Block]:
    """A table of each kind of figures that there are."""
    for name, title in TITLES.items():
        rows = figures[name]
        if not rows:
            continue
        if not any(isinstance(row, dict) for row in rows.values()):
            yield Block(title, tuple(rows), (tuple(map(_shown, rows.values())),))
            continue
        headings = tuple(next(iter(rows.values())))
        yield Block(title, ("", *headings), tuple((label, *(_shown(row[heading]) for heading in headings)) for label, row in rows.items()))


def inputs_in_words(figures: Mapping[str, Any]) -> str:
    """What was built, with what."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in figures["inputs"].items())


def build_markdown(figures: Mapping[str, Any], command: str) -> str:
    """The document; `command` is the command line that makes it again."""
    lines = ["# Build", "", f"Made by `{command}`; do not edit.", "", f"{inputs_in_words(figures)}.", ""]
    for block in build_blocks(figures):
        lines += block_lines(block, "##")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
