"""Composition: the ranking becomes a slate, by the rules of its placement and with some variety.

What counts more comes first: what may not be shown is never shown; no place stays empty while anything may be shown; pins stand where they
say; of quotas the one that comes first in the file outranks those after it; then that no near-duplicates are shown; then scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.composing.candidate_kernels import left_of, uncertain_ones
from recommender.composing.in_force import InForce
from recommender.composing.labels import Labelled, by_candidate, labels_of
from recommender.composing.quota_kernels import Floors, Limits
from recommender.composing.rules import Limit, Pin
from recommender.composing.slate_kernels import Taste, Trials, compose_slate, drawn_places
from recommender.composing.stories import Stories
from recommender.composing.variety import Exploration, Impressions, Variety
from recommender.generation.catalogue import Catalogue
from recommender.overlay.catalogue import OverlaidCatalogue
from recommender.sum_kernels import in_room

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SPARE = 20
"""Further candidates from the fallback where there are quotas, which may speak against the others."""
NEAR_DUPLICATES = "near-duplicates"
"""The name under which an answer tells that near-duplicates are shown for want of anything else."""

_NONE = np.zeros(0, dtype=np.int32)
_NO_LABELS = (_NONE, _NONE, _NONE, _NONE, _NONE.astype(np.uint64))
"""What `Limits` has behind its ends where there are none."""


class Slate(NamedTuple):
    """n items in their places. `places`: shape (n,), int32, of the candidates; `chances`: float32; `marks`: uint8, as in `slate_kernels`.

    `broken`: names of the rules that could not be kept throughout.
    """

    places: Rows
    chances: Floats
    marks: npt.NDArray[np.uint8]
    broken: tuple[str, ...]

    @classmethod
    def as_ranked(cls, n: int) -> Slate:
        """The first n candidates as they stand."""
        return cls(np.arange(n, dtype=np.int32), np.ones(n, dtype=np.float32), np.zeros(n, dtype=np.uint8), ())


@dataclass(frozen=True)
class Composer:
    """What one query's slate is composed by. `holding(condition, rows)`: which of some items a condition lets through.

    `vectors(rows)`: what items mean, shape (r, d), zeros for those without; `weights(rows)`: weight of people's events on them.
    """

    rules: InForce
    variety: Variety
    impressions: Impressions
    exploration: Exploration
    catalogue: Catalogue | OverlaidCatalogue
    holding: Callable[[str, Rows | None], Mask]
    stories: Stories
    vectors: Callable[[Rows], Floats]
    weights: Callable[[Rows], Floats]

    @property
    def is_idle(self) -> bool:
        """Whether a slate is the ranking as it stands, whoever asks."""
        moves = self.variety.strength > 0 or self.variety.rotation > 0 or self.exploration.share > 0
        return not (self.rules.arranges or self.collapses or moves)

    @property
    def may_collapse(self) -> bool:
        """Whether of what tells the very same one alone is shown, should there be any such thing."""
        return self.variety.near_duplicates == "collapse" and self.stories.may_be_there

    @property
    def collapses(self) -> bool:
        """Whether of what tells the very same one alone is shown, and there is any such thing."""
        return self.variety.near_duplicates == "collapse" and self.stories.there

    def collapses_new(self, rows: Rows) -> bool:
        """Whether it is so, or any of `rows` that is newer than the generation tells what something else does."""
        return self.collapses or (self.variety.near_duplicates == "collapse" and self.stories.told_by_new(rows))

    def held_back(self, rows: Rows) -> int:
        """For how many of `rows`, shape (any,), others are wanted: of what tells the same all but one, and some where there are quotas."""
        held = SPARE if self.rules.quotas else 0
        if self.collapses_new(rows):
            told = self.stories.of(rows)
            told = told[told >= 0]
            held += len(told) - len(np.unique(told))
        return held

    def discounts(self, seen: npt.NDArray[np.void]) -> bool:
        """Whether what was `seen`, shape (any,), gives way."""
        return self.impressions.discount > 0 and len(seen) > 0

    def composed(self, rows: Rows, scores: Floats, size: int, seen: npt.NDArray[np.void], now: int, seed: int) -> Slate:
        """`size` ≥ 1 places, or as many as there are candidates, filled from `rows`, shape (c,), by their `scores`, ≥ 0, descending."""
        n, adjusted = min(size, len(rows)), self._adjusted(rows, scores, seen, now)
        order: Rows | None = None
        if adjusted is not scores:
            order = np.argsort(-adjusted, kind="stable").astype(np.int32)
            rows, adjusted = rows[order], adjusted[order]
        pins, off = self.pins(rows, n)
        limits, floors, names = self._quotas(rows, n)
        places, chances, marks, broken = compose_slate(
            adjusted, pins, limits, floors, self._taste(rows), self._trials(rows, n, seed), np.uint64(seed)
        )
        return Slate(
            places if order is None else order[places], chances, marks, (*off, *(name for name, bit in names if int(broken) & bit))
        )

    def _adjusted(self, rows: Rows, scores: Floats, seen: npt.NDArray[np.void], now: int) -> Floats:
        """Scores after boosts, burials and what was passed over; the very same where there is nothing of these."""
        if not self.rules.factors and not self.discounts(seen):
            return scores
        adjusted = scores.copy()
        for rule in self.rules.factors:
            adjusted[self.holding(rule.filter, rows)] *= np.float32(rule.factor)
        if self.discounts(seen):
            adjusted *= self.left_after(seen, rows, now)
        return adjusted

    def left_after(self, seen: npt.NDArray[np.void], rows: Rows, now: int) -> Floats:
        """What is left of the scores of different `rows`, shape (r,), in (0, 1], after what was `seen` of them: shape (r,).

        Each time counts for a discount, all of them the less the longer ago the last one was.
        """
        half_life, seen_rows = self.impressions.half_life_hours * 3_600e6, self.catalogue.rows_of(seen["item"])
        times, at, discount, most = seen["count"], seen["at"], self.impressions.discount, self.impressions.most
        return in_room(
            self.catalogue.n,
            lambda room: left_of(seen_rows, times, at, rows, discount, most, half_life, now, room.view(np.int32)),
        )

    def pins(self, rows: Rows, n: int) -> tuple[Rows, list[str]]:
        """Which candidate stands at each of n places beforehand, -1 for none, and the names of the pins that hold none.

        The first of two pins to one place has it. Each takes its best candidate; one of which all are taken has an earlier one make do with
        another, where it can (augmenting paths; Kuhn 1955), so that an earlier pin never loses its place.
        """
        pins, pinned, off = np.full(n, -1, dtype=np.int32), dict[int, Pin](), list[str]()
        fitting: dict[str, list[int]] = {}

        def placed(rule: Pin, barred: set[int]) -> bool:
            for candidate in fitting[rule.name]:
                if candidate not in pinned:
                    pinned[candidate] = rule
                    return True
            for candidate in fitting[rule.name]:
                if candidate not in barred:
                    barred.add(candidate)
                    if placed(pinned[candidate], barred):
                        pinned[candidate] = rule
                        return True
            return False

        for rule in self.rules.pins:
            there = rule.slot <= n and all(rule.slot != other.slot for other in pinned.values())
            if there:
                # Of as many as there are pins one is always left.
                fitting[rule.name] = np.flatnonzero(self.holding(rule.filter, rows))[: len(self.rules.pins)].tolist()
            if not there or not placed(rule, set()):
                off.append(rule.name)
        for candidate, rule in pinned.items():
            pins[rule.slot - 1] = candidate
        return pins, off

    def _quotas(self, rows: Rows, n: int) -> tuple[Limits, Floors, list[tuple[str, int]]]:
        """Limits, floors, and the bit that stands for each by name: the higher the weightier."""
        labelled: list[Labelled] = []
        limits: list[tuple[int, int, int]] = []
        floors: list[tuple[Mask, int, int, int]] = []
        names, bit = list[tuple[str, int]](), 1 << len(self.rules.quotas)
        for rule in self.rules.quotas:
            if isinstance(rule, Limit):
                labelled.append(self.labelled(rule, rows))
                limits.append((rule.at_most, rule.within, bit))
            else:
                # A short slate is one window.
                floors.append((self.holding(rule.filter, rows), min(rule.at_least, n), min(rule.within, n), bit))
            names.append((rule.name, bit))
            bit >>= 1
        if self.collapses_new(rows):
            stories = self.stories.of(rows)
            told = np.flatnonzero(stories >= 0)
            labelled.append(Labelled(told, stories[told].astype(np.int64)))
            limits.append((1, n, 1))
            names.append((NEAR_DUPLICATES, 1))
        return _limits(labelled, limits, len(rows)), _floors(floors, len(rows)), names

    def labelled(self, limit: Limit, rows: Rows) -> Labelled:
        """By which labels a `limit` counts each of `rows`, shape (r,)."""
        labels = labels_of(self.catalogue, limit.of, rows) if limit.of else Labelled.of_all(np.arange(len(rows)))
        return labels.among(self.holding(limit.filter, rows)) if limit.filter else labels

    def _taste(self, rows: Rows) -> Taste:
        variety = self.variety
        varied = rows[: variety.depth + variety.choice] if variety.strength > 0 else rows[:0]
        vectors = self.vectors(varied) if len(varied) else np.zeros((0, 1), dtype=np.float32)
        return Taste(variety.strength, variety.window, variety.depth, variety.choice, variety.rotation, vectors)

    def _trials(self, rows: Rows, n: int, seed: int) -> Trials:
        exploration = self.exploration
        if not exploration.share:
            return Trials(np.zeros(n, dtype=np.bool_), np.zeros(0, dtype=np.int32), 1, 0.0)
        # Each place by itself, so that the chance of what stands there is the same whatever stands before it.
        exploring = drawn_places(n, exploration.share, np.uint64(seed))
        uncertain = uncertain_ones(self.weights(rows), exploration.uncertain_below)
        return Trials(exploring, uncertain, exploration.choice, exploration.share)


def _limits(labelled: Sequence[Labelled], limits: Sequence[tuple[int, int, int]], c: int) -> Limits:
    if not limits:
        return Limits(np.zeros(c + 1, dtype=np.int32), *_NO_LABELS)
    at_most, within, bits = zip(*limits, strict=True)
    if len(labelled) == 1:
        [(places, codes)] = labelled
        of = np.zeros(len(places), dtype=np.int64)
    else:
        places = np.concatenate([each.places for each in labelled])
        codes = np.concatenate([each.codes for each in labelled])
        of = np.repeat(np.arange(len(labelled)), [len(each.places) for each in labelled])
    return Limits(
        *by_candidate(places, codes, of, len(labelled), c),
        np.array(at_most, dtype=np.int32),
        np.array(within, dtype=np.int32),
        np.array(bits, dtype=np.uint64),
    )


def _floors(floors: Sequence[tuple[Mask, int, int, int]], c: int) -> Floors:
    made = np.empty((len(floors), c), dtype=np.bool_)
    for number, (holds, *_) in enumerate(floors):
        made[number] = holds
    _, at_least, within, bits = zip(*floors, strict=True) if floors else ((), (), (), ())
    return Floors(made, np.array(at_least, dtype=np.int32), np.array(within, dtype=np.int32), np.array(bits, dtype=np.uint64))
