"""Sorted sets agree with NumPy's own and with Python's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.distinct import among, distinct

NUMBERS = st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 9))


@given(NUMBERS, NUMBERS)
def test_distinct_numbers_are_those_of_a_set(first: list[int], second: list[int]) -> None:
    columns = (np.array(first, dtype=np.int64), np.array(second, dtype=np.int64))
    assert distinct(*columns).tolist() == sorted({*first, *second})


@given(NUMBERS, NUMBERS)
def test_a_number_is_among_others_as_in_a_set(numbers: list[int], others: list[int]) -> None:
    found = among(np.array(numbers, dtype=np.int64), np.array(sorted(others), dtype=np.int64))
    assert found.tolist() == [number in set(others) for number in numbers]
