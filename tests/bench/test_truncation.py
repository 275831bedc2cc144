"""Histories are cut to their newest events, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import history_of, number_of
from pyroaring import BitMap

from eval.truncation import truncated
from recommender.errors import InvalidInput
from recommender.judging import HeldOut
from recommender.people import empty_history

HELD_OUT = HeldOut(
    people=np.array([4, 9], dtype=np.uint32),
    histories=[history_of(0, 1, 2), empty_history()],
    consumed=[BitMap([number_of(0)]), BitMap()],
    dismissed=[BitMap(), BitMap()],
    targets=[np.array([number_of(5)], dtype=np.uint32)] * 2,
    cut=7,
)


@pytest.mark.parametrize(("newest", "rows"), [(0, []), (1, [2]), (2, [1, 2]), (3, [0, 1, 2]), (50, [0, 1, 2])])
def test_the_newest_events_stay(newest: int, rows: list[int]) -> None:
    cut = truncated(HELD_OUT, newest)
    assert [history["item"].tolist() for history in cut.histories] == [[number_of(row) for row in rows], []]
    for name in ("people", "consumed", "dismissed", "targets", "cut"):
        assert getattr(cut, name) is getattr(HELD_OUT, name)


def test_fewer_than_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match="0 or more"):
        truncated(HELD_OUT, -1)
