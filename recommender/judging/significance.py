"""Significance: how likely a difference over the same people is by chance alone, and what many comparisons do to that."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
SIGNS_AT_ONCE = 2**22
"""Bounds the memory of a test to some 32 MB."""

Values = npt.NDArray[np.float64]


def randomisation_test(ours: Values, theirs: Values, rng: np.random.Generator, *, people: npt.NDArray[np.integer] | None = None) -> float:
    """Two-sided p of the paired randomisation test on the mean difference of `ours` and `theirs`, both (q,) over the same people.

    If there were no difference, either value of a person could as well be the other's: signs of the differences are flipped at
    random, all of one person's together where `people`, shape (q,), says that somebody has several, and p is how often the mean
    is at least as far from 0 as the one seen (Fisher 1935, chapter 3; Smucker, Allan and Carterette, CIKM 2007). All flips are
    gone through where at most 10,000 exist; else 10,000 are drawn and p is (b + 1) / (10,000 + 1), never 0 (Phipson and Smyth
    2010). Where nobody differs p is 1. Raises ValueError for different people, nobody, and values that are not finite.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"not the same people: {ours.shape} and {theirs.shape}")
    differences = ours - theirs
    if not len(differences) or not np.isfinite(differences).all():
        raise ValueError(f"a test needs at least one finite difference, got {len(differences)} differences")
    if people is not None:
        persons, owner = np.unique(people, return_inverse=True)
        sums = np.zeros(len(persons))
        np.add.at(sums, owner, differences)
        differences = sums
    # A flipped nought stays nought, so that those who do not differ change nothing but the work.
    differing = differences[differences != 0]
    if not len(differing):
        return 1.0
    # Sums of the same numbers in another order differ in the last digits, and such a tie counts as one.
    seen = abs(differing.sum()) - 1e-12 * np.abs(differing).sum()
    exact = 2 ** len(differing) <= RESAMPLES
    flips = _all_flips(len(differing)) if exact else _drawn_flips(len(differing), rng)
    as_far = total = 0
    for flipped in flips:
        as_far += int(np.count_nonzero(np.abs(differing.sum() - 2 * (flipped @ differing)) >= seen))
        total += len(flipped)
    return as_far / total if exact else (as_far + 1) / (total + 1)


def _all_flips(m: int) -> Iterator[Values]:
    yield ((np.arange(2**m)[:, None] >> np.arange(m)) & 1).astype(np.float64)


def _drawn_flips(m: int, rng: np.random.Generator) -> Iterator[Values]:
    step = max(1, SIGNS_AT_ONCE // m)
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        drawn = rng.integers(0, 256, (rows, -(-m // 8)), dtype=np.uint8)
        yield np.unpackbits(drawn, axis=1, count=m).astype(np.float64)


def holm(p_values: npt.ArrayLike) -> Values:
    """`p_values`, shape (m,), in [0, 1], corrected for being m comparisons, in the same order, shape (m,).

    Holm, Scandinavian Journal of Statistics 1979: the i-th smallest is multiplied by m − i + 1, is at least the one before it
    and at most 1. Whoever then believes all below .05 is wrong anywhere with a chance of at most .05, however they depend on
    each other. Raises ValueError for values outside [0, 1].
    """
    given = np.asarray(p_values, dtype=np.float64)
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"chances are in [0, 1], got {given.tolist()}")
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty(len(given))
    corrected[order] = np.minimum(stepped, 1)
    return corrected
