"""Which rows repeat the key of another row, found in 24 bytes per row."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_128_digest


class Keys:
    """The keys of all good rows, as 128-bit digests."""

    def __init__(self) -> None:
        self._digests = bytearray()
        self._ordinals = array("Q")

    def extend(self, ordinals: Iterable[int], keys: Iterable[str]) -> None:
        """Remember the keys of the rows with these numbers."""
        self._digests += b"".join([xxh3_128_digest(key.encode()) for key in keys])
        self._ordinals.extend(ordinals)

    def overruled(self, *, latest_wins: bool) -> npt.NDArray[np.uint64]:
        """Ordinals of the rows that yield to another row of the same key, shape (r,), ascending.

        All but the last row of a key if `latest_wins`, else all but the first.
        """
        if not self._ordinals:
            return np.zeros(0, dtype=np.uint64)
        digests = np.frombuffer(bytes(self._digests), dtype=np.uint64).reshape(-1, 2)
        ordinals = np.frombuffer(self._ordinals, dtype=np.uint64)
        order = np.lexsort((ordinals, digests[:, 1], digests[:, 0]))
        same_as_next = (digests[order[1:]] == digests[order[:-1]]).all(axis=1)
        return np.sort(ordinals[order[:-1][same_as_next] if latest_wins else order[1:][same_as_next]])
