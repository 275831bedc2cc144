"""Tests of when a gain is taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from indexing.blending.gains import is_clear


@pytest.mark.parametrize(
    ("mean", "people", "clear"),
    [(0.11, 100, True), (0.09, 100, False), (0.09, 10, False), (0.3, 10, False), (0.33, 10, True), (-0.5, 100, False)],
)
def test_a_gain_has_to_stand_out_by_a_standard_error_over_people(mean: float, people: int, clear: bool) -> None:
    # Gains lie one apart from their mean, so that the standard error is 1 / √(people), however many queries each of them has.
    gains = np.tile([mean - 1, mean + 1], 50)
    assert is_clear(gains, np.tile(np.arange(people), 100 // people)) is clear


def test_nobody_shows_no_gain() -> None:
    assert not is_clear(np.zeros(0), np.zeros(0, dtype=np.int64))
