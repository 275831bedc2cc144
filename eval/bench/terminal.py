"""A run of the benchmark on a terminal, set by set as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.bench import blocks
from eval.bench.blocks import Block
from eval.bench.result import Result

NUMBERS, NUMBERS_WHOLE, WORDS_LEAST = 18, 22, 10
"""Signs of a number with its interval, of what is never folded, and of a name that is folded at the least."""
WORDS = ("measure", "verdict")
"""Headings of columns that hold words."""


def show_set(console: Console, result: Result) -> None:
    """Everything that is to be said of a set."""
    for block in set_blocks(result):
        show(console, block)
    for sentence in blocks.remarks(result):
        console.print(sentence, highlight=False, markup=False)
    console.print()


def set_blocks(result: Result) -> Iterator[Block]:
    """The tables of a set that have rows, the first one first."""
    for made in (blocks.measures, blocks.sources, blocks.lengths, blocks.cold_start, blocks.ablation, blocks.weights, blocks.importance):
        block = made(result)
        if block.rows or made is blocks.weights:
            yield block


def show(console: Console, block: Block) -> None:
    """One table; words fold where the terminal is narrow, numbers do not."""
    console.print(Text(block.title, style="italic"))
    if block.rows:
        console.print(_table(block.headings, block.rows), highlight=False)
    if block.below:
        console.print(block.below, highlight=False, markup=False)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    for place, (heading, cells) in enumerate(zip(headings, zip(*rows, strict=True), strict=True)):
        # Where there is no room, names and words fold, and what is longer than a number with its interval; numbers stay whole.
        words, longest = place == 0 or heading in WORDS, max(map(len, cells))
        least = min(longest, WORDS_LEAST if words else NUMBERS) if longest > 11 else longest
        whole = not words and longest <= NUMBERS_WHOLE
        table.add_column(heading, overflow="fold", no_wrap=whole, justify="left" if words else "right", min_width=least)
    for row in rows:
        table.add_row(*map(Text, row), style="bold" if row[0] == "blend" else "")
    return table
