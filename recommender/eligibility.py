"""Which items may be shown: one mask per query, for every source and for paging alike."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from threading import Lock

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from recommender.columns import StringColumn
from recommender.compiling import compiled
from recommender.conditions import Condition, compile_condition
from recommender.feeds import Query
from recommender.generation.catalogue import Catalogue
from recommender.items import ItemKind, ItemState
from recommender.store import Change
from recommender.times import MISSING_TIME, to_micros

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint32]

_MASK_BYTES = 32 * 2**20
_CONDITIONS = 1_000


class MaskCache:
    """Masks and compiled conditions of one catalogue; the least recently used give way. Safe for many threads."""

    def __init__(self, n: int) -> None:
        self._most = max(8, _MASK_BYTES // max(n, 1))
        self._masks: OrderedDict[object, Mask] = OrderedDict()
        self._conditions: OrderedDict[str, Condition] = OrderedDict()
        self._lock = Lock()

    def mask(self, key: object, make: Callable[[], Mask]) -> Mask:
        """The mask of `key`, made when it is not there."""
        with self._lock:
            if key in self._masks:
                self._masks.move_to_end(key)
                return self._masks[key]
        made = make()
        made.flags.writeable = False
        with self._lock:
            self._masks[key] = made
            while len(self._masks) > self._most:
                self._masks.popitem(last=False)
        return made

    def condition(self, expression: str, catalogue: Catalogue) -> Condition:
        """The compiled `expression`. Raises `InvalidCondition`."""
        with self._lock:
            if expression in self._conditions:
                self._conditions.move_to_end(expression)
                return self._conditions[expression]
        condition = compile_condition(expression, catalogue.columns)
        with self._lock:
            self._conditions[expression] = condition
            while len(self._conditions) > _CONDITIONS:
                self._conditions.popitem(last=False)
        return condition


@dataclass(frozen=True, eq=False)
class Eligibility:
    """The catalogue's state as of change sequence `change`; the generation itself holds it as of `watermark`.

    `live` and `deleted`: shape (n,), bool. `valid_from`, `valid_to`: shape (n,), int64 µs, `MISSING_TIME` for open sides;
    `windowed`: the rows with a window, int64.
    """

    catalogue: Catalogue
    live: Mask
    deleted: Mask
    valid_from: npt.NDArray[np.int64]
    valid_to: npt.NDArray[np.int64]
    windowed: npt.NDArray[np.int64]
    watermark: int
    change: int
    cache: MaskCache

    @classmethod
    def of(cls, catalogue: Catalogue, change: int) -> Eligibility:
        """The state that the generation itself holds, read at sequence `change`."""
        return cls(
            catalogue=catalogue,
            live=catalogue.live,
            deleted=np.zeros(catalogue.n, dtype=np.bool_),
            valid_from=catalogue.valid_from,
            valid_to=catalogue.valid_to,
            windowed=_windowed(catalogue.valid_from, catalogue.valid_to),
            watermark=change,
            change=change,
            cache=MaskCache(catalogue.n),
        )

    def with_changes(self, changes: Sequence[Change], change: int) -> Eligibility:
        """The state after `changes`, of which those to items unknown here are passed over, at sequence `change`.

        An item that was deleted and made anew since the generation's watermark stays deleted here: what this generation would
        show of it is the content that was taken down. Like any new item it waits for the next generation.
        """
        rows = self.catalogue.rows_of([entry.number for entry in changes])
        known = [(int(row), entry) for row, entry in zip(rows, changes, strict=True) if row >= 0]
        if not known:
            return replace(self, change=change)
        places = np.array([row for row, _ in known])
        live, deleted, valid_from, valid_to = self.live.copy(), self.deleted.copy(), self.valid_from.copy(), self.valid_to.copy()
        gone = np.array([entry.state is ItemState.DELETED or entry.first_change > self.watermark for _, entry in known])
        live[places] = ~gone & [entry.state is ItemState.LIVE for _, entry in known]
        deleted[places] = gone
        valid_from[places] = [entry.valid_from for _, entry in known]
        valid_to[places] = [entry.valid_to for _, entry in known]
        return replace(
            self,
            live=live,
            deleted=deleted,
            valid_from=valid_from,
            valid_to=valid_to,
            windowed=_windowed(valid_from, valid_to),
            change=change,
        )

    @cached_property
    def _turns(self) -> list[int]:
        """The moments at which the validity of some item begins or ends, µs, ascending."""
        ends = np.concatenate([self.valid_from[self.windowed], self.valid_to[self.windowed]])
        turns: list[int] = np.sort(ends[ends != MISSING_TIME]).tolist()
        return turns

    def validities_passed(self, now: datetime) -> int:
        """How many validities have begun or ended by `now`: between two moments of the same number none begins or ends."""
        return bisect_right(self._turns, to_micros(now)) if len(self.windowed) else 0

    def allowed(self, query: Query, now: datetime) -> Mask:
        """What `query` may show at `now`, shape (n,). Raises `InvalidCondition` for a bad filter."""
        mask = np.logical_and(self._limits(query, now), self.live)
        if len(self.windowed):
            moment, start, end = to_micros(now), self.valid_from[self.windowed], self.valid_to[self.windowed]
            mask[self.windowed[(start > moment) | ((end != MISSING_TIME) & (end <= moment))]] = False
        for numbers in self._blocked(query):
            _leave_out(mask, numbers, self.catalogue.row_of_number)
        if query.candidates is not None:
            wanted = np.zeros(self.catalogue.n, dtype=np.bool_)
            rows = self.catalogue.rows_of(query.candidates)
            wanted[rows[rows >= 0]] = True
            mask &= wanted
        return mask

    def _limits(self, query: Query, now: datetime) -> Mask:
        """What kinds, language, category and filter let through; the part that does not depend on who asks."""
        kinds = query.placement.kinds & query.kinds if query.placement.kinds and query.kinds else query.placement.kinds | query.kinds
        none_left = bool(query.placement.kinds and query.kinds) and not kinds
        condition = self.cache.condition(query.filter, self.catalogue) if query.filter else None
        # A filter's `now` is the begun minute, so that answers do not depend on who asked earlier within it.
        minute = now.replace(second=0, microsecond=0) if condition is not None and condition.uses_now else None
        key = (kinds, none_left, query.language.lower(), query.category, query.filter, minute)
        return self.cache.mask(key, lambda: self._make_limits(kinds, none_left, query, condition, minute or now))

    def _make_limits(self, kinds: frozenset[ItemKind], none_left: bool, query: Query, condition: Condition | None, now: datetime) -> Mask:
        n = self.catalogue.n
        mask = np.full(n, not none_left, dtype=np.bool_)
        if kinds:
            mask &= self.catalogue.is_kind(kinds)
        if query.language:
            column = self.catalogue.columns.by_name["language"]
            assert isinstance(column, StringColumn)
            wanted = query.language.lower()
            # "en" asks for all English; "en-gb" for British and for English of no region.
            fits = [value == wanted or value.startswith(wanted + "-") or wanted.startswith(value + "-") for value in column.values]
            mask &= (column.codes < 0) | np.array([*fits, False], dtype=np.bool_)[column.codes]
        if query.category:
            members = np.zeros(n, dtype=np.bool_)
            members[self.catalogue.category_members.get(query.category, np.zeros(0, dtype=np.int32))] = True
            mask &= members
        if condition is not None:
            mask &= condition.mask(self.catalogue.columns, now)
        return mask

    def _blocked(self, query: Query) -> Iterator[Numbers]:
        """Numbers of what this query's person or caller does not want."""
        if query.exclude:
            yield np.array(query.exclude, dtype=np.uint32)
        if query.dismissed:
            yield _numbers(query.dismissed)
        if query.consumed and query.placement.repeat == "never":
            yield _numbers(query.consumed)
        if query.seeds_are_items:
            yield np.ascontiguousarray(query.history["item"])


@compiled
def _leave_out(mask: Mask, numbers: Numbers, row_of_number: npt.NDArray[np.int32]) -> None:
    for number in numbers:
        if number < len(row_of_number) and row_of_number[number] >= 0:
            mask[row_of_number[number]] = False


def _numbers(bitmap: BitMap) -> Numbers:
    return np.frombuffer(bitmap.to_array(), dtype=np.uint32)


def _windowed(valid_from: npt.NDArray[np.int64], valid_to: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.flatnonzero((valid_from != MISSING_TIME) | (valid_to != MISSING_TIME))
