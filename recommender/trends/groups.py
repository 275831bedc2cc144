"""Groups of events by what they say of themselves: regions, which lie in each other by their parts, and segments."""

from __future__ import annotations

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


def in_region(names: Sequence[str], region: str) -> Mask:
    """Which of the `names` of regions are `region` or lie in it, shape (len(names),); all for ""."""
    inside = region + PART
    return np.array([not region or name == region or name.startswith(inside) for name in names], dtype=np.bool_)


def in_segment(names: Sequence[str], segment: str) -> Mask:
    """Which of the `names` of segments, several of which may stand in one, hold `segment`, shape (len(names),); all for ""."""
    return np.array([not segment or segment in map(str.strip, name.split(BETWEEN)) for name in names], dtype=np.bool_)
