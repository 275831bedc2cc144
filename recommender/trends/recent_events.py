"""The newest events of all people as compact arrays, in an order in which one pass counts them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recommender.events import DISMISSING, WITH_PORTION, Consent, EventType
from recommender.store.event_reading import CONTEXT
from recommender.times import DAY_US, MISSING_TIME
from recommender.trends.groups import Regions, Segments, in_order
from recommender.trends.trend_kernels import Codes, Floats, Numbers, Times, Types, places_together

REGION, SEGMENT = "region", "segment"
ENTRIES = (REGION, SEGMENT)
"""The entries of an event's context that say where it happened, and what segments the person was counted among."""

NAMES_LIMIT = 65_536
"""Different names of regions, and of segments that stand together, that are told apart, "" among them; events of any further one count as
of none."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Columns:
    """m events, each array of shape (m,): `portion` is NaN where an event has none; `region` and `segment` are codes."""

    item: Numbers
    person: Numbers
    type: Types
    portion: Floats
    at: Times
    region: Codes
    segment: Codes

    @classmethod
    def none(cls) -> Self:
        dtypes = (np.uint32, np.uint32, np.uint8, np.float32, np.int64, np.uint16, np.uint16)
        return cls(*(np.zeros(0, dtype=dtype) for dtype in dtypes))  # type: ignore[arg-type]

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def __len__(self) -> int:
        return len(self.item)

    def at_places(self, places: npt.NDArray[np.generic]) -> Self:
        return type(self)(*(getattr(self, field.name)[places] for field in fields(self)))


class _Names:
    """Gives a code to each different name, 0 to "". `full`: whether there was one too many."""

    def __init__(self, known: Sequence[str]) -> None:
        self._codes = {name: code for code, name in enumerate(known)}
        self.full = False

    def coded(self, column: pa.DictionaryArray, spelt: Callable[[str], str] = str) -> Codes:
        """The codes of a column of names, as each is `spelt` where it may be in several ways, shape (m,)."""
        codes = [self._code(spelt(name)) for name in column.dictionary.to_pylist()]
        coded: Codes = np.array(codes, dtype=np.uint16)[column.indices.to_numpy()]
        return coded

    def _code(self, name: str) -> int:
        code = self._codes.get(name)
        if code is not None:
            return code
        if len(self._codes) >= NAMES_LIMIT:
            self.full = True
            return 0
        self._codes[name] = len(self._codes)
        return len(self._codes) - 1

    @property
    def all(self) -> tuple[str, ...]:
        """The names by code."""
        return tuple(self._codes)


@dataclass(frozen=True, eq=False)
class RecentEvents:
    """What people who may be learnt from did lately, less impressions and what dismisses: all of it since `since` (µs); immutable.

    `columns` stand by item, then person, then time. `regions` and `segments`: the names of their codes, "" the first; in one of segments
    several may stand, as `in_order` puts them. Of what happened before `since` some may be left out. `crowded`: which of `ENTRIES` once had
    more names than there may be, as the log was told.
    """

    columns: _Columns
    regions: tuple[str, ...]
    segments: tuple[str, ...]
    since: int
    crowded: frozenset[str] = frozenset()

    @classmethod
    def none(cls) -> RecentEvents:
        """No events."""
        return cls(_Columns.none(), ("",), ("",), MISSING_TIME)

    def joined(self, batches: Iterable[pa.RecordBatch], *, since: int, limit: int) -> RecentEvents:
        """These and those of batches as `Store.iter_newest_events` gives them with `ENTRIES`, of one day (UTC) each and the newest days
        first, less all from before `since` (µs), the `limit` newest of them at the most.

        No more days are read than that takes, and one batch; of new events never many more than twice the `limit` are held.
        """
        regions, segments = _Names(self.regions), _Names(self.segments)
        parts, held, complete = [_Columns.none()], 0, max(since, self.since)
        last_day: int | None = None
        for batch in batches:
            days = batch.column("at").to_numpy() // DAY_US
            if last_day is not None and days.max(initial=last_day - 1) < last_day:
                # Of a day events come as they were reported, not as they happened, so that only now all of the last one are there.
                complete = max(complete, last_day * DAY_US)
                break
            parts.append(_counting(batch, regions, segments, since))
            held += len(parts[-1])
            if last_day is None and held >= limit:
                last_day = int(days.min())
            if held > 2 * limit:
                newest, complete = _newest(_Columns.together(parts), limit, complete)
                parts, held = [newest], len(newest)
        old, new = self.columns, _Columns.together(parts)
        if len(old.at) and int(old.at.min()) < since:
            old = old.at_places(old.at >= since)
        new = new.at_places(np.lexsort((new.at, new.person, new.item)))
        order = places_together(old.item, old.person, old.at, new.item, new.person, new.at)
        columns, complete = _newest(_Columns.together([old, new]).at_places(order), limit, complete)
        crowded = self.crowded | {entry for entry, names in ((REGION, regions), (SEGMENT, segments)) if names.full}
        for entry in sorted(crowded - self.crowded):
            log.warning(
                "no more than %d different values of %s in contexts are told apart: further ones are of no group", NAMES_LIMIT, entry
            )
        return RecentEvents(columns, regions.all, segments.all, complete, crowded)._of_names_in_use()

    def __len__(self) -> int:
        return len(self.columns)

    @cached_property
    def by_region(self) -> Regions:
        """`regions`, by what lies in which."""
        return Regions(self.regions)

    @cached_property
    def by_segment(self) -> Segments:
        """`segments`, by what stands in which."""
        return Segments(self.segments)

    def _of_names_in_use(self) -> RecentEvents:
        """The same without names that no event has any more, once half of those that there may be are taken."""
        columns, named = self.columns, [self.regions, self.segments]
        if max(map(len, named)) <= NAMES_LIMIT // 2:
            return self
        codes = [columns.region, columns.segment]
        for place, names in enumerate(named):
            used = np.unique(np.append(codes[place], np.uint16(0)))
            named[place] = tuple(names[code] for code in used.tolist())
            codes[place] = np.searchsorted(used, codes[place]).astype(np.uint16)
        made = _Columns(columns.item, columns.person, columns.type, columns.portion, columns.at, *codes)
        return RecentEvents(made, named[0], named[1], self.since, self.crowded)


def _newest(columns: _Columns, limit: int, since: int) -> tuple[_Columns, int]:
    """The `limit` newest of `columns` at the most, in their order, and since when (µs) these are all where `columns` are since `since`."""
    cut = len(columns) - limit
    if cut <= 0:
        return columns, since
    at = columns.at
    # Those of one time are kept in their order, so that it is the same ones every time.
    oldest = np.partition(at, cut - 1)[cut - 1]
    spare = np.flatnonzero(at == oldest)[: cut - int(np.count_nonzero(at < oldest))]
    kept = at >= oldest
    kept[spare] = False
    return columns.at_places(kept), max(since, int(oldest) + 1)


def _counting(batch: pa.RecordBatch, regions: _Names, segments: _Names, since: int) -> _Columns:
    """The events of a batch that may count."""
    types, at, consent = (batch.column(name).to_numpy(zero_copy_only=False) for name in ("type", "at", "consent"))
    kept = (at >= since) & ((consent & Consent.TRAIN) == Consent.TRAIN) & ~np.isin(types, [EventType.IMPRESSION, *DISMISSING])
    portions = np.where(np.isin(types, sorted(WITH_PORTION)), batch.column("portion").to_numpy(zero_copy_only=False), np.nan)
    return _Columns(
        item=batch.column("item").to_numpy(zero_copy_only=False)[kept],
        person=batch.column("person").to_numpy(zero_copy_only=False)[kept],
        type=types[kept],
        portion=portions.astype(np.float32)[kept],
        at=at[kept],
        region=regions.coded(batch.column(CONTEXT + REGION))[kept],
        segment=segments.coded(batch.column(CONTEXT + SEGMENT), in_order)[kept],
    )
