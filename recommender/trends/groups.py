"""Groups of events by what they say of themselves: regions, which lie in each other by their parts, and segments."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

PART = "-"
"""Stands between the parts of a region: "FR-ARA" lies in "FR"."""
BETWEEN = ","
"""Stands between segments, where an event names several."""


def wider(region: str) -> list[str]:
    """`region`, those that it lies in, from narrow to wide, and "" for everywhere."""
    found = []
    while region:
        found.append(region)
        region = region.rpartition(PART)[0]
    return [*found, ""]


def groups_to_try(region: str, segment: str) -> Iterator[tuple[str, str]]:
    """The groups to look at, one after the other, until one is large enough: first all regions that `region` lies in, with the `segment`,
    then the regions without it. The last one is everybody."""
    for wanted in (segment, "") if segment else ("",):
        for each in wider(region):
            yield each, wanted


def in_order(name: str) -> str:
    """The segments that stand in a `name`, each once and in alphabetical order: the same for all names in which the same ones stand."""
    return BETWEEN.join(sorted({each for part in name.split(BETWEEN) if (each := part.strip())}))


class Regions:
    """Different `names` of regions by their codes, which are their places."""

    def __init__(self, names: Sequence[str]) -> None:
        # What lies in a region stands together in alphabetical order.
        order = sorted(range(len(names)), key=names.__getitem__)
        self._names = [names[code] for code in order]
        self._codes = np.array(order, dtype=np.int64)

    def within(self, region: str) -> Mask:
        """Which names are `region` or lie in it, shape (len(names),); all for ""."""
        inside = np.full(len(self._names), not region, dtype=np.bool_)
        if region:
            # The one itself, and then all up to the first one in which another sign follows than the one between parts.
            for start, end in ((region, region + "\0"), (region + PART, region + chr(ord(PART) + 1))):
                inside[self._codes[bisect_left(self._names, start) : bisect_left(self._names, end)]] = True
        return inside


class Segments:
    """Different `names` by their codes, which are their places; in each of them several segments may stand, as `in_order` puts them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._count = len(names)
        self._codes: dict[str, array[int]] = defaultdict(lambda: array("I"))
        for code, name in enumerate(names):
            for segment in name.split(BETWEEN):
                self._codes[segment].append(code)

    def holding(self, segment: str) -> Mask:
        """Which names hold `segment`, shape (len(names),); all for ""."""
        inside = np.full(self._count, not segment, dtype=np.bool_)
        if segment in self._codes:
            inside[np.array(self._codes[segment], dtype=np.int64)] = True
        return inside
