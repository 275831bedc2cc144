"""What lists give room to: how much of the catalogue, how evenly, and how popular it already is.

`lists`: shape (q, n), int32 catalogue rows best first, -1 where a list is short, which it only is at its end; `k`: how many
leading items count, ≥ 1, and lists shorter than k simply end. `popularity`: shape (items,), ≥ 0, in any unit.
Functions of one value per person return shape (q,), float64, NaN for an empty list, of which there is no mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Lists = npt.NDArray[np.int32]
Values = npt.NDArray[np.float64]


def catalogue_coverage(lists: Lists, k: int, items: int) -> float:
    """The share, in [0, 1], of `items` that could be shown which stand in anybody's first k (Ge, Delgado-Battenfeld, Jannach, RecSys 2010).

    Raises ValueError where more items are shown than could be.
    """
    return len(exposures(lists, k, items)) / items


def user_coverage(lists: Lists, k: int) -> float:
    """The share, in [0, 1], of people for whom k recommendations could be made; it says nothing of whether they are any good.

    Herlocker, Konstan, Terveen and Riedl, TOIS 2004, on coverage, by people instead of items as in Shani and Gunawardana 2011,
    section 8.3.2. What fills a list without regard to the person should be -1 here, or everybody is covered by it.
    Raises ValueError for nobody.
    """
    if not len(lists):
        raise ValueError("nobody has no share")
    full = (_first(lists, k) >= 0).sum(axis=1) == k
    return float(full.mean())


def gini(lists: Lists, k: int, items: int) -> float:
    """Gini index, in [0, 1], of how often each of `items` that could be shown stands in a first k.

    0 where all are shown alike (or none at all), 1 where one item is all that anybody sees:
    Σ (2j − items − 1) · share_j / (items − 1), items in ascending order of their share (Shani and Gunawardana 2011,
    section 8.3.2). Raises ValueError where more items are shown than could be.
    """
    shown = np.sort(exposures(lists, k, items))
    if not len(shown) or items == 1:
        return 0.0
    # Items that are never shown come first and add nothing.
    places = np.arange(items - len(shown) + 1, items + 1)
    return float(((2 * places - items - 1) * shown).sum() / shown.sum() / (items - 1))


def exposures(lists: Lists, k: int, items: int) -> npt.NDArray[np.int64]:
    """How often each item that stands in any first k does so, shape (≤ items,), all ≥ 1, in order of row."""
    first = _first(lists, k)
    counts = np.unique(first[first >= 0], return_counts=True)[1]
    if items < 1 or len(counts) > items:
        raise ValueError(f"{len(counts)} different items are shown, of {items} that could be")
    return counts


def popularity_shares(popularity: npt.NDArray[np.floating]) -> Values:
    """Each item's share of all popularity, shape (items,), in [0, 1]; all 0 where there is none."""
    total = popularity.sum(dtype=np.float64)
    return np.asarray(popularity, dtype=np.float64) / (total if total > 0 else 1.0)


def self_information(popularity: npt.NDArray[np.floating]) -> Values:
    """−log2 of each item's share of all popularity, shape (items,), in bits, > 0 for two items or more.

    Zhou et al., PNAS 2010; Vargas and Castells, RecSys 2011. One unit of popularity is added to every item
    (Laplace), since what nobody has touched would be infinitely new.
    """
    smoothed = np.asarray(popularity, dtype=np.float64) + 1
    bits: Values = -np.log2(smoothed / smoothed.sum())
    return bits


def mean_over_list(lists: Lists, k: int, worth: Values) -> Values:
    """The mean of `worth`, shape (items,), over each first k, shape (q,).

    Of `popularity_shares` this is average recommendation popularity (Yin et al., VLDB 2012; Abdollahpouri, Burke and
    Mobasher, FLAIRS 2019); of `self_information` it is novelty in bits. NaN in `worth` stands for an item without a value,
    which is left out.
    """
    first = _first(lists, k)
    return means_of_known(np.where(first >= 0, worth[first], np.nan) if len(worth) else np.full(first.shape, np.nan))


def means_of_known(values: Values) -> Values:
    """The mean of each line of `values`, shape (q, any), without its NaNs; NaN for a line of nothing else."""
    known = ~np.isnan(values)
    counts = known.sum(axis=1)
    means = np.full(len(values), np.nan)
    np.divide(np.where(known, values, 0).sum(axis=1), counts, out=means, where=counts > 0)
    return means


def popularity_lift(shown: Values, chosen: Values) -> float:
    """How much more popular what people are shown is than what they chose themselves: (mean shown − mean chosen) / mean chosen.

    ΔGAP of Abdollahpouri, Mansoury, Burke and Mobasher 2019 ("The unfairness of popularity bias in recommendation"), which
    their RecSys paper of 2020 calls popularity lift, with everybody as one group. `shown` and `chosen`: mean popularity of each
    person's list and history, shape (q,); whoever has NaN in either is left out. ≥ −1; 0 is no bias. NaN where nobody is left
    or nothing chosen was popular at all.
    """
    both = ~(np.isnan(shown) | np.isnan(chosen))
    if not both.any() or not chosen[both].any():
        return float("nan")
    return float(shown[both].mean() / chosen[both].mean() - 1)


def _first(lists: Lists, k: int) -> Lists:
    if k < 1:
        raise ValueError(f"k is {k}, at least 1 is needed")
    return lists[:, :k]
