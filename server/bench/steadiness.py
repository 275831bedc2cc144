"""Which moments a processor was all ours, by how long the same few lines of Python took on it from moment to moment.

A virtual machine's core may be one of two threads of a real one, and its neighbour somebody else's. When that one works, everything here
takes up to twice as long, and no clock of ours tells why: it is processor time of our own. What a loop that never changes took before and
after tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FASTEST = 0.05
"""Share of the probes by the slowest of which a processor's full speed is told: not by the very fastest, which may be a freak, nor by so
many that a processor would have to be undisturbed for long."""
QUICK = 1.25
"""A probe is quick when it took at most so many times what one takes at full speed."""
GAP_S = 0.1
"""Where two probes lie further apart, nobody knows what was between them."""


@dataclass(frozen=True, eq=False)
class Speeds:
    """Probes of a processor: when each was made, `at`, as a `time.monotonic()` value, in order of time, and the seconds of processor time
    that it `took`, both of shape (p,)."""

    at: npt.NDArray[np.float64]
    took: npt.NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[Speeds]) -> Speeds:
        """The probes of several spans of time, one after the other."""
        return cls(np.concatenate([part.at for part in parts]), np.concatenate([part.took for part in parts]))

    @property
    def quick(self) -> npt.NDArray[np.bool_]:
        """Which of the probes ran at full speed, shape (p,). Where all are as slow, all are quick."""
        if not len(self.took):
            return np.zeros(0, dtype=np.bool_)
        quick: npt.NDArray[np.bool_] = self.took <= QUICK * np.quantile(self.took, FASTEST)
        return quick

    def undisturbed(self, since: npt.NDArray[np.float64], until: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Of which intervals, each from one of `since` to one of `until`, shape (n,), it is known that the processor ran at full speed:
        those in which all probes were quick, with the last one before and the first one after. Shape (n,)."""
        before = np.searchsorted(self.at, since, side="right") - 1
        after = np.searchsorted(self.at, until, side="left")
        known = (before >= 0) & (after < len(self.at))
        first, last = np.where(known, before, 0), np.where(known, after, 0)
        slow = np.concatenate([[0], np.cumsum(~self.quick)])
        gaps = np.concatenate([[0], np.cumsum(np.diff(self.at) > GAP_S)])
        found = np.zeros(len(since), dtype=np.bool_)
        if len(self.at):
            found = known & (slow[last + 1] == slow[first]) & (gaps[last] == gaps[first])
        return found

    def in_words(self, share: float) -> str:
        """What `share` of the time, from 0 to 1, was undisturbed, and what a probe took then and otherwise."""
        quick = self.quick
        times = [f"{1e6 * float(np.median(part)):.0f} µs" if len(part) else "never" for part in (self.took[quick], self.took[~quick])]
        return f"{share:.0%} of the time; a short loop took {times[0]} at full speed, {times[1]} otherwise"
