"""A run of the benchmark as a Markdown document, so that published figures are made by one command and never copied by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eval.bench import blocks
from eval.bench.blocks import Block
from eval.bench.off_policy_blocks import direction, off_policy_rows, simulation
from eval.bench.report import Report
from eval.bench.terminal import set_blocks


def markdown(report: Report, command: str) -> str:
    """The document; `command` is the command line that makes it again."""
    return "\n".join(_lines(report, command)) + "\n"


def _lines(report: Report, command: str) -> Iterator[str]:
    yield from ("# Quality", "", f"Made by `{command}` on {report.at:%Y-%m-%d}; do not edit.", "")
    yield f"Figures are those of the {report.profile_in_words}, one profile for all sets."
    yield from (f"Versions: {report.versions_in_words}.", "")
    yield from block_lines(blocks.summary(report.results, off_policy_rows(report)), "##")
    if report.results:
        yield "In brackets are 95 % intervals; published is the best that is known. p is that of a paired randomisation test over people,"
        yield "corrected for the number of sources compared."
        yield from ("", "Protocols and publications:", "")
        for one in report.results:
            published = f"; published: {one.benchmark.source}" if one.benchmark.source else ""
            yield f"- **{one.benchmark.name}**: {one.benchmark.protocol}{published}."
        yield from ("", "## The blend against each source", "")
        yield from (f"- {blocks.beaten_in_words(one)}" for one in report.results)
        yield ""
        yield from block_lines(blocks.costs(report.results), "##")
    if report.directions or report.simulated:
        yield from ("## Off-policy estimates", "")
        for found in report.simulated:
            yield from block_lines(simulation(found), "###")
        for name, directions in (report.directions or {}).items():
            for one_way in directions:
                yield from block_lines(direction(name, one_way), "###")
    for one in report.results:
        yield from (f"## {one.benchmark.name}", "")
        # The set's own table stands at the beginning already.
        for block in list(set_blocks(one))[1:]:
            yield from block_lines(block, "###")
        yield from (*(f"- {sentence}" for sentence in blocks.remarks(one)), "")
    if report.skipped:
        yield from ("## Not judged", "", *(f"- {sentence}" for sentence in report.skipped), "")


def block_lines(block: Block, level: str) -> Iterator[str]:
    yield from (f"{level} {block.title}", "")
    if block.rows:
        yield from (*_table(block.headings, block.rows), "")
    if block.below:
        yield from (block.below, "")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _row(headings)
    yield "|" + "---|" * len(headings)
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    # A bar inside a cell would end it.
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
