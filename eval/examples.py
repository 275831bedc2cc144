"""Examples: people whose lists differ most in worth between two runs, told in titles and without saying who they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.generation.catalogue import Catalogue
from recommender.judging.comparison import LEADING, Comparison

EACH = 3
"""People for whom either run is the better one."""
LAST = 5
"""Newest titles of a history that are told."""
FIRST = 10
WANTED = 10


@dataclass(frozen=True)
class Example:
    """One person: what came `last`, newest first, what was `wanted` then, and each run's first ten as (title, whether it was wanted).

    `worth`: the leading metric by run. `more`: how many more items were wanted than are told.
    """

    last: Sequence[str]
    wanted: Sequence[str]
    more: int
    lists: Mapping[str, Sequence[tuple[str, bool]]]
    worth: Mapping[str, float]


def examples(catalogue: Catalogue, comparison: Comparison, ours: str, theirs: str) -> list[Example]:
    """The people for whom `ours` is the better by most, then those for whom `theirs` is; nobody for whom both are worth the same."""
    gain = comparison.judgements[ours].values[LEADING] - comparison.judgements[theirs].values[LEADING]
    order = np.argsort(-gain, kind="stable")
    chosen = [*(place for place in order[:EACH] if gain[place] > 0), *(place for place in order[::-1][:EACH] if gain[place] < 0)]
    return [_example(catalogue, comparison, int(place), (ours, theirs)) for place in chosen]


def _example(catalogue: Catalogue, comparison: Comparison, place: int, runs: tuple[str, str]) -> Example:
    held_out = comparison.held_out
    history, targets = held_out.histories[place]["item"], held_out.targets[place]
    lists, worth = {}, {}
    for run in runs:
        judgement = comparison.judgements[run]
        rows = judgement.lists[place, :FIRST]
        rows = rows[rows >= 0]
        hits = judgement.hits[place, : len(rows)].tolist()
        lists[run] = list(zip(_titles(catalogue, rows), hits, strict=True))
        worth[run] = float(judgement.values[LEADING][place])
    last = _titles(catalogue, catalogue.rows_of(history[::-1][:LAST]))
    return Example(last, _titles(catalogue, catalogue.rows_of(targets[:WANTED])), max(len(targets) - WANTED, 0), lists, worth)


def _titles(catalogue: Catalogue, rows: npt.NDArray[np.int32]) -> list[str]:
    """Titles of `rows`, shape (r,); the id stands for a missing title, rows of -1 are no longer in the catalogue."""
    cards = iter(catalogue.cards(rows[rows >= 0]))
    return ["an item that is gone" if row < 0 else (card := next(cards)).title or card.item_id for row in rows]
