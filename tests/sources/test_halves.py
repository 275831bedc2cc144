"""Vectors in half precision: compiled loops over them give what NumPy gives, whatever comes along."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.compiling import compiled
from recommender.halves import products, widened
from recommender.instructions import _moved, single

RNG = np.random.default_rng(3)


def bits_of(vectors: np.ndarray) -> np.ndarray:
    return vectors.astype(np.float16).view(np.int16)


@pytest.mark.parametrize("d", [1, 7, 16, 33, 384])
@pytest.mark.parametrize("queries", [1, 3, 4, 5, 9])
def test_products_are_those_of_the_stored_numbers(d: int, queries: int) -> None:
    halves, asked = bits_of(RNG.normal(size=(30, d))), RNG.normal(size=(queries, d)).astype(np.float32)
    rows = RNG.integers(0, 30, 21, dtype=np.int32)
    expected = asked.astype(np.float64) @ halves.view(np.float16)[rows].astype(np.float64).T
    np.testing.assert_allclose(products(halves, rows, asked), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("d", [1, 7, 16, 33, 384])
def test_a_product_does_not_depend_on_which_queries_and_rows_come_along(d: int) -> None:
    halves, asked = bits_of(RNG.normal(size=(30, d))), RNG.normal(size=(9, d)).astype(np.float32)
    every = products(halves, np.arange(30, dtype=np.int32), asked)
    for query in range(9):
        for size in range(1, 10 - query):
            some = np.array([29, query, query], dtype=np.int32)
            np.testing.assert_array_equal(products(halves, some, asked[query : query + size]), every[query : query + size][:, some])


def test_nothing_asked_or_no_rows_make_no_products() -> None:
    halves = bits_of(RNG.normal(size=(5, 8)))
    assert products(halves, np.arange(5, dtype=np.int32), np.zeros((0, 8), dtype=np.float32)).shape == (0, 5)
    assert products(halves, np.zeros(0, dtype=np.int32), np.zeros((2, 8), dtype=np.float32)).shape == (2, 0)


def test_numbers_may_start_at_any_byte_of_a_file() -> None:
    halves = bits_of(RNG.normal(size=(6, 12)))
    shifted = np.frombuffer(b"\0" + halves.tobytes(), dtype=np.uint8)[1:].view(np.int16).reshape(6, 12)
    assert not shifted.flags.aligned
    rows, asked = np.arange(6, dtype=np.int32), RNG.normal(size=(2, 12)).astype(np.float32)
    np.testing.assert_array_equal(products(shifted, rows, asked), products(halves, rows, asked))
    np.testing.assert_array_equal(widened(shifted, rows), widened(halves, rows))


@pytest.mark.parametrize("conversion", [single, _moved], ids=["the one in use", "the one for processors without the instruction"])
def test_both_ways_of_conversion_are_right_to_the_bit(conversion: object) -> None:
    @compiled
    def converted(bits: np.ndarray) -> np.ndarray:
        made = np.empty(len(bits), dtype=np.float32)
        for place in range(len(bits)):
            made[place] = conversion(bits[place])  # type: ignore[operator]
        return made

    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    np.testing.assert_array_equal(converted(finite.view(np.int16)).view(np.uint32), finite.astype(np.float32).view(np.uint32))
