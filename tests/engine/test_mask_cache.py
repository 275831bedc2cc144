"""What a cache of masks holds: as many as fit, however small the catalogue is."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.mask_cache import KEY_BYTES, LEAST, MASK_BYTES, MaskCache


def kept(n: int, made: int) -> int:
    """How many of the last `made` masks of n items a cache still holds, found from the newest on."""
    cache = MaskCache(n)
    # Of one array, so that a cache without a bound is told by its count and not by its memory.
    mask = np.zeros(n, dtype=np.bool_)
    for key in range(made):
        cache.mask(key, lambda: mask)

    def missing() -> np.ndarray:
        raise KeyError

    for back in range(made):
        try:
            cache.mask(made - 1 - back, missing)
        except KeyError:
            return back
    return made


@pytest.mark.parametrize("n", [0, 1, 50, 10_000, 1_000_000])
def test_masks_and_what_they_are_known_by_fit_into_what_they_may_take(n: int) -> None:
    held = kept(n, 10_000)
    assert LEAST < held < 10_000
    assert MASK_BYTES - n - KEY_BYTES < held * (n + KEY_BYTES) <= MASK_BYTES


def test_of_the_largest_catalogues_a_few_are_held_all_the_same() -> None:
    assert kept(100_000_000, 20) == LEAST


def test_what_was_used_lately_stays() -> None:
    cache = MaskCache(100_000_000)
    mask = np.zeros(1, dtype=np.bool_)
    for key in range(LEAST):
        cache.mask(key, lambda: mask)
    cache.mask(0, lambda: pytest.fail("it is there"))
    cache.mask("new", lambda: mask)
    cache.mask(0, lambda: pytest.fail("it is there"))
