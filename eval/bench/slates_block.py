"""Slates side by side as a table."""

from __future__ import annotations

from eval.bench.blocks import Block
from eval.bench.slates import EVERYBODYS, MEASURED, SHOWN, Row, Slates
from recommender.judging import Interval

HEADINGS = ("", "NDCG@10", "over the ranking", *MEASURED, *EVERYBODYS, "near-duplicates", "uncertain", "renewed")


def slates_block(found: Slates) -> Block:
    """One row for each way."""
    below = (
        f"In brackets are 95 % intervals. Figures are of the first {SHOWN} items. Near-duplicates: share that tells what one above it "
        "does. Uncertain: share of items that few people had. Renewed: share that was not shown one answer ago; impressions, and the "
        "placement as it is, are judged on that second answer, to readers who took up nothing of the first."
    )
    return Block("Slates side by side", HEADINGS, tuple(map(_words, found.rows)), below)


def _words(row: Row) -> tuple[str, ...]:
    figures = [f"{row.figures[name]:.3f}" if name in row.figures else "–" for name in (*MEASURED, *EVERYBODYS)]
    shares = [f"{share:.1%}" for share in (row.near_duplicates, row.uncertain, row.renewed)]
    return row.name, _interval(row.ndcg), _interval(row.lead, signed=True), *figures, *shares


def _interval(interval: Interval, *, signed: bool = False) -> str:
    form = "{:+.4f} [{:+.4f}, {:+.4f}]" if signed else "{:.4f} [{:.4f}, {:.4f}]"
    return form.format(interval.mean, interval.low, interval.high)
