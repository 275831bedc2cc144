"""Which events are surely new: a filter over the ids of the recent days, so that most of them are looked up nowhere.

An id is looked for on each of some fifteen days, which costs more than keeping the event. Here a Bloom filter (Bloom, 1970,
"Space/time trade-offs in hash coding with allowable errors") says of almost every new id that no day can hold it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recommender.store.connection import Connection

BITS_PER_KEY = 16
"""With two bits set per key, one new key in seventy is looked up all the same."""

FEWEST_BITS, MOST_BITS = 2**18, 2**28
"""The filter's size lies between 32 kB and 32 MB; beyond, it only helps less."""

LOADED_PER_KEY = 16
"""Stored keys read into the filter, after a start, for each key that is asked about: what the look-ups cost that it will spare."""

LOADED_AT_ONCE = 4_096
"""Keys read into it by one transaction, at most."""

_RECENT = "SELECT day, last_sequence, rows FROM event_partitions WHERE day >= ? ORDER BY day DESC"
_KEYS = "SELECT sequence, key FROM events_{day} WHERE sequence > ? ORDER BY sequence LIMIT ?"

Places = npt.NDArray[np.int64]


class RecentKeys:
    """What one connection has read of the recent days' keys; to be used within a writing transaction.

    It holds what others wrote as well, since each use reads on from the newest event that it knows of each day. Where it
    has not read all of a day yet, that day must be asked. Another connection begins anew: what this one has read may
    have been rolled back, and then its sequence values are given out again.
    """

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._bits = np.zeros(0, dtype=np.uint8)
        self._room = 0
        self._read: dict[str, int] = {}
        self._recent = ""
        self._partly: set[str] = set()

    def to_ask(self, connection: Connection, recent: str, keys: Sequence[bytes]) -> list[tuple[str, Sequence[bytes]]]:
        """For each day from `recent` on, those of `keys` that it may hold; days that hold none of them are left out."""
        days = connection.execute(_RECENT, (recent,)).fetchall()
        if connection is not self._connection or self._room <= 0:
            self._begin(connection, sum(rows for _, _, rows in days))
        left = min(LOADED_AT_ONCE, LOADED_PER_KEY * len(keys))
        for day, last, _ in days:
            if left > 0 and self._read.get(day, 0) < last:
                left -= self._load(connection, day, left)
        self._recent = recent
        self._partly = {day for day, last, _ in days if self._read.get(day, 0) < last}
        suspects = self._suspects(keys)
        asked = [(day, keys if day in self._partly else suspects) for day, _, _ in days]
        return [(day, wanted) for day, wanted in asked if wanted]

    def added(self, day: str, keys: Sequence[bytes], last: int) -> None:
        """Take note of `keys`, just written, of which the newest has the sequence value `last`; the last thing that a call of the
        store does after `to_ask`, since from there on only a lost connection can undo it."""
        if day >= self._recent and day not in self._partly:
            self._note(day, keys, last)

    def _begin(self, connection: Connection, rows: int) -> None:
        # Twice the room that is needed now, so that it lasts.
        bits = max(FEWEST_BITS, min(MOST_BITS, 1 << (2 * BITS_PER_KEY * rows).bit_length()))
        self._connection = connection
        self._bits = np.zeros(bits // 8, dtype=np.uint8)
        self._room = bits // BITS_PER_KEY if bits < MOST_BITS else 2**62
        self._read = {}

    def _load(self, connection: Connection, day: str, most: int) -> int:
        rows = connection.execute(_KEYS.format(day=day), (self._read.get(day, 0), most)).fetchall()
        if rows:
            self._note(day, [key for _, key in rows], rows[-1][0])
        return len(rows)

    def _note(self, day: str, keys: Sequence[bytes], last: int) -> None:
        places = self._places(keys).ravel()
        np.bitwise_or.at(self._bits, places >> 3, np.left_shift(1, places & 7).astype(np.uint8))
        self._read[day] = last
        self._room -= len(keys)

    def _suspects(self, keys: Sequence[bytes]) -> list[bytes]:
        places = self._places(keys)
        both = ((self._bits[places >> 3] >> (places & 7)) & 1).all(axis=1)
        return [keys[place] for place in np.flatnonzero(both).tolist()]

    def _places(self, keys: Sequence[bytes]) -> Places:
        """Two bits of the filter for each key of 16 random bytes, shape (n, 2)."""
        halves = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
        return (halves & np.uint64(8 * len(self._bits) - 1)).astype(np.int64)
