"""Which items may be shown: one mask per query, for every source and for paging alike."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from recommender.columns import Columns, StringColumn
from recommender.compiling import compiled
from recommender.composing.in_force import NOTHING, InForce
from recommender.composing.labels import has_labels
from recommender.composing.rules import Limit, Rule
from recommender.conditions import Condition
from recommender.feeds import Query
from recommender.generation.catalogue import Catalogue
from recommender.items import ItemKind, ItemState
from recommender.mask_cache import MaskCache
from recommender.overlay.catalogue import OverlaidCatalogue
from recommender.search.word_index import WordIndex
from recommender.store import Change
from recommender.times import MISSING_TIME, to_micros

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.int32]

REGIONS = "attributes.regions"
"""Where an item names the regions that alone it is for: "FR DE-BY"; others are for everywhere."""
_REGIONS = re.compile(r"[^\s,;]+")


@dataclass(frozen=True, eq=False)
class Eligibility:
    """The catalogue's state as of change sequence `change`; the generation itself holds it as of `watermark`.

    `live` and `deleted`: shape (n,), bool. `valid_from`, `valid_to`: shape (n,), int64 µs, `MISSING_TIME` for open sides;
    `windowed`: the rows with a window, int64. `words`: of the generation alone.
    """

    catalogue: Catalogue | OverlaidCatalogue
    live: Mask
    deleted: Mask
    valid_from: npt.NDArray[np.int64]
    valid_to: npt.NDArray[np.int64]
    windowed: npt.NDArray[np.int64]
    watermark: int
    change: int
    cache: MaskCache
    words: WordIndex

    @classmethod
    def of(cls, catalogue: Catalogue, change: int, words: WordIndex | None = None) -> Eligibility:
        """The state that the generation itself holds, read at sequence `change`; `words`: which items hold which."""
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
            words=words or WordIndex.none(),
        )

    def overlaid(self, catalogue: OverlaidCatalogue) -> Eligibility:
        """The state of this catalogue, a generation's, with what an overlay adds to it, as that holds it."""
        overlay, added = catalogue.overlay, catalogue.overlay.delta.catalogue
        rows = overlay.added
        live = overlay.beside(self.live, added.live[rows])
        valid_from, valid_to = overlay.beside(self.valid_from, added.valid_from[rows]), overlay.beside(self.valid_to, added.valid_to[rows])
        return replace(
            self,
            catalogue=catalogue,
            live=live,
            deleted=overlay.beside(self.deleted, np.zeros(overlay.m, dtype=np.bool_)),
            valid_from=valid_from,
            valid_to=valid_to,
            windowed=_windowed(valid_from, valid_to),
        )

    def with_changes(self, changes: Sequence[Change], change: int) -> Eligibility:
        """The state after `changes`, of which those to items unknown here are passed over, at sequence `change`.

        An item that was deleted and made anew since the generation's watermark stays deleted here: what this generation would
        show of it is the content that was taken down. Like any new item it waits for an overlay or the next generation.
        """
        rows = self.catalogue.rows_of([entry.number for entry in changes])
        known = [(int(row), entry) for row, entry in zip(rows, changes, strict=True) if row >= 0]
        if not known:
            return replace(self, change=change)
        places = np.array([row for row, _ in known])
        live, deleted, valid_from, valid_to = self.live.copy(), self.deleted.copy(), self.valid_from.copy(), self.valid_to.copy()
        made_by = self._made_by(places)
        gone = np.array(
            [entry.state is ItemState.DELETED or entry.first_change > made for made, (_, entry) in zip(made_by, known, strict=True)]
        )
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

    def _made_by(self, rows: npt.NDArray[np.int64]) -> list[int]:
        """The sequence as of which what is shown of each of `rows` was read."""
        overlay = self.catalogue.overlay if isinstance(self.catalogue, OverlaidCatalogue) else None
        return [self.watermark if overlay is None or row < overlay.n else overlay.change for row in rows.tolist()]

    @cached_property
    def _turns(self) -> list[int]:
        """The moments at which the validity of some item begins or ends, µs, ascending."""
        ends = np.concatenate([self.valid_from[self.windowed], self.valid_to[self.windowed]])
        turns: list[int] = np.sort(ends[ends != MISSING_TIME]).tolist()
        return turns

    def validities_passed(self, now: datetime) -> int:
        """How many validities have begun or ended by `now`: between two moments of the same number none begins or ends."""
        return bisect_right(self._turns, to_micros(now)) if len(self.windowed) else 0

    def owns_any(self, owner: str) -> bool:
        """Whether any item is of this `owner`; few people who read have any."""
        if isinstance(self.catalogue, Catalogue):
            return owner in self.catalogue.codes_of("owner")
        return owner in self.catalogue.base.codes_of("owner") or owner in self.catalogue.overlay.delta.catalogue.codes_of("owner")

    def allowed(self, query: Query, now: datetime, rules: InForce = NOTHING) -> Mask:
        """What `query` may show at `now` under `rules`, shape (n,). Raises `InvalidCondition` for a bad filter."""
        mask = self._within_limits(query, now, rules)
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

    def _within_limits(self, query: Query, now: datetime, rules: InForce) -> Mask:
        """What is live within the limits of `query` that go by what items are: kinds, language, region, category, filter and rules, and
        what the person does not want to see."""
        kinds = query.placement.kinds & query.kinds if query.placement.kinds and query.kinds else query.placement.kinds | query.kinds
        none_left = bool(query.placement.kinds and query.kinds) and not kinds
        overlaid = self.catalogue if isinstance(self.catalogue, OverlaidCatalogue) else None
        base = self.catalogue if isinstance(self.catalogue, Catalogue) else self.catalogue.base
        given: list[tuple[Condition | None, bool]] = [(self.cache.condition(query.filter, base), True)] if query.filter else []
        asked = [*((rule, True) for rule in rules.required), *((rule, False) for rule in rules.excluded)]
        conditions = [*given, *((self._of_base(rule), holds) for rule, holds in asked)]
        of_changed = conditions if overlaid is None else [*given, *((_of_changed(overlaid, rule), holds) for rule, holds in asked)]
        # A condition's `now` is the begun minute, so that answers do not depend on who asked earlier within it.
        minute = _begun(now) if any(each is not None and each.uses_now for each, _ in (*conditions, *of_changed)) else None
        region = query.region.lower()
        key = (kinds, none_left, query.language.lower(), region, query.category, query.filter, rules.required, rules.excluded, minute)

        def limits(catalogue: Catalogue, columns: Columns, conditions: Sequence[tuple[Condition | None, bool]]) -> Mask:
            return _limits_of(catalogue, columns, kinds, none_left, query, conditions, minute or now)

        mask = np.empty(self.catalogue.n, dtype=np.bool_)
        known = self.cache.mask(key, lambda: limits(base, base.columns, conditions))
        np.logical_and(known, self.live[: base.n], out=mask[: base.n])
        unwanted = _unwanted(query)
        _leave_out_labelled(mask[: base.n], base, unwanted)
        for text in query.muted.words:
            mask[self.words.holding(text)] = False
        if overlaid is not None:
            delta = overlaid.overlay.delta.catalogue
            changed = overlaid.masks.mask(key, lambda: limits(delta, overlaid.changed_columns, of_changed))
            if unwanted or query.muted.words:
                changed = changed.copy()
                _leave_out_labelled(changed, overlaid.overlay.delta.catalogue, unwanted)
                for text in query.muted.words:
                    changed[overlaid.overlay.delta.words.holding(text)] = False
            overlaid.overlay.put(mask, changed, self.live)
        return mask

    def holding(self, expression: str, now: datetime, rows: Rows | None = None) -> Mask:
        """Which items a rule's condition holds for at `now`, of all, shape (n,), or of `rows`, the same shape.

        None where neither the generation nor what is new has such a field in such a type: an item without a field meets no condition on it.
        """
        overlaid = self.catalogue if isinstance(self.catalogue, OverlaidCatalogue) else None
        base = self.catalogue if isinstance(self.catalogue, Catalogue) else self.catalogue.base
        mask = _held(self.cache, expression, self._of_base(expression), base.columns, now)
        if overlaid is None:
            return mask if rows is None else mask[rows]
        changed = _held(overlaid.masks, expression, _of_changed(overlaid, expression), overlaid.changed_columns, now)
        looked_at = np.arange(self.catalogue.n, dtype=np.int32) if rows is None else rows
        places = overlaid.overlay.places(looked_at)
        known = mask[np.minimum(looked_at, base.n - 1)] if base.n else np.zeros(len(looked_at), dtype=np.bool_)
        return np.where(places >= 0, changed[places], known)

    def holding_at(self, now: datetime) -> Callable[[str, Rows | None], Mask]:
        """The same at `now`, for one who asks for the same conditions again and again."""
        if isinstance(self.catalogue, OverlaidCatalogue):
            return lambda expression, rows: self.holding(expression, now, rows)
        masks = dict[str, Mask]()

        def holding(expression: str, rows: Rows | None) -> Mask:
            mask = masks.get(expression)
            if mask is None:
                mask = masks[expression] = self.holding(expression, now)
            return mask if rows is None else mask[rows]

        return holding

    def can_ask(self, rule: Rule) -> bool:
        """Whether any item may meet the filter of a rule and have what it counts by: there are such fields, of such types."""
        overlaid = self.catalogue if isinstance(self.catalogue, OverlaidCatalogue) else None
        if rule.filter and self._of_base(rule.filter) is None and (overlaid is None or _of_changed(overlaid, rule.filter) is None):
            return False
        return not isinstance(rule, Limit) or not rule.of or has_labels(self.catalogue, rule.of)

    def _of_base(self, expression: str) -> Condition | None:
        """The condition of a rule; None for one that cannot be asked of the generation."""
        base = self.catalogue if isinstance(self.catalogue, Catalogue) else self.catalogue.base
        return self.cache.rule_condition(expression, base.columns)

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


def _of_changed(overlaid: OverlaidCatalogue, expression: str) -> Condition | None:
    """The condition of a rule for what is laid over a generation, which may be the first to have a field."""
    return overlaid.masks.rule_condition(expression, overlaid.changed_columns)


def _held(masks: MaskCache, expression: str, condition: Condition | None, columns: Columns, now: datetime) -> Mask:
    """Which of the n items of `columns` a rule's `condition` holds for, shape (n,)."""
    if condition is None:
        return np.zeros(columns.n, dtype=np.bool_)
    minute = _begun(now) if condition.uses_now else None
    return masks.mask(("holding", expression, minute), lambda: condition.mask(columns, minute or now))


def _limits_of(
    catalogue: Catalogue,
    columns: Columns,
    kinds: frozenset[ItemKind],
    none_left: bool,
    query: Query,
    conditions: Sequence[tuple[Condition | None, bool]],
    now: datetime,
) -> Mask:
    """What kinds, language, category and conditions, each wanted or not, let through of a `catalogue` of these filterable `columns`.

    A condition that cannot be asked holds for nothing.
    """
    mask = np.full(catalogue.n, not none_left, dtype=np.bool_)
    if kinds:
        mask &= catalogue.is_kind(kinds)
    if query.language:
        column = catalogue.columns.by_name["language"]
        assert isinstance(column, StringColumn)
        wanted = query.language.lower()
        # "en" asks for all English; "en-gb" for British and for English of no region.
        fits = [_overlap(value, wanted) for value in column.values]
        mask &= (column.codes < 0) | np.array([*fits, False], dtype=np.bool_)[column.codes]
    if query.region:
        mask &= _is_for(catalogue, query.region.lower())
    if query.category:
        members = np.zeros(catalogue.n, dtype=np.bool_)
        members[catalogue.category_members.get(query.category, np.zeros(0, dtype=np.int32))] = True
        mask &= members
    for condition, holds in conditions:
        if condition is not None:
            mask &= condition.mask(columns, now) == holds
        elif holds:
            mask[:] = False
    return mask


def _is_for(catalogue: Catalogue, region: str) -> Mask:
    """Which items are for everywhere, or for a region that holds `region` or lies within it: as "fr" holds "fr-ara"."""
    column = catalogue.columns.by_name.get(REGIONS)
    if not isinstance(column, StringColumn):
        return np.ones(catalogue.n, dtype=np.bool_)
    fits = [any(map(partial(_overlap, region), _REGIONS.findall(value.lower()))) for value in column.values]
    return (column.codes < 0) | np.array([*fits, False], dtype=np.bool_)[column.codes]


def _overlap(one: str, other: str) -> bool:
    """Whether of two regions or languages, such as "fr" and "fr-ara", one holds the other."""
    return one == other or one.startswith(other + "-") or other.startswith(one + "-")


def _unwanted(query: Query) -> list[tuple[str, tuple[str, ...]]]:
    """Fields of items, and labels there that the person does not want to see."""
    asked = (("author", query.muted.authors), ("categories", query.muted.categories), ("owner", (query.owner,) if query.owner else ()))
    return [(field, labels) for field, labels in asked if labels]


def _leave_out_labelled(mask: Mask, catalogue: Catalogue, unwanted: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    """Take items of a `catalogue` that have an `unwanted` label out of their `mask`."""
    for field, labels in unwanted:
        if field == "categories":
            for label in labels:
                mask[catalogue.category_members.get(label, np.zeros(0, dtype=np.int32))] = False
            continue
        column, codes = catalogue.columns.by_name[field], catalogue.codes_of(field)
        assert isinstance(column, StringColumn)
        for code in {codes[label] for label in labels if label in codes}:
            mask &= column.codes != code


def _begun(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


@compiled
def _leave_out(mask: Mask, numbers: Numbers, row_of_number: npt.NDArray[np.int32]) -> None:
    for number in numbers:
        if number < len(row_of_number) and row_of_number[number] >= 0:
            mask[row_of_number[number]] = False


def _numbers(bitmap: BitMap) -> Numbers:
    return np.frombuffer(bitmap.to_array(), dtype=np.uint32)


def _windowed(valid_from: npt.NDArray[np.int64], valid_to: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.flatnonzero((valid_from != MISSING_TIME) | (valid_to != MISSING_TIME))
