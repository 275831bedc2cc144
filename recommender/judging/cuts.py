"""Cuts: what is known before a moment or a person's newest step, and what people then did after it.

Every cut gives a `Split`, of what may be learnt from and who is judged on what. Cuts in people, items and groups are in `cold` and `drawn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from recommender.distinct import among, distinct
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.events import CONSUMING, DISMISSING, Consent, EventType
from recommender.people import HISTORY_LIMIT, History, empty_history
from recommender.profile import EventWeights

DEFAULT_WEIGHTS = EventWeights()
"""What counts as taken up where nobody says otherwise."""

SPARE = 4
"""So many times the people that are wanted are looked at, since some of them took up nothing new after a cut."""

_JUDGED = Consent.PERSONALISE | Consent.MEASURE


@dataclass(frozen=True, eq=False)
class HeldOut:
    """People to judge on: what each had done up to a moment, and which new items each took up after it.

    `people`: numbers, shape (q,). `histories`: q histories as of the moment. `consumed`, `dismissed`: q complete sets.
    `targets`: q arrays of item numbers, at least one each, none consumed before unless repeats are judged. `cut`: µs since 1970.
    `candidates`: q arrays of the only item numbers that may be ranked, at least one each; None where every item may be.
    `moments`: the "now" of each query, µs since 1970, shape (q,), where they differ; None where all are at `cut`.
    One person may stand for several queries (one a window, or one an impression), so `people` may repeat.
    Raises `InvalidInput` where lengths or types do not fit, or someone has no target or no candidate.
    """

    people: npt.NDArray[np.uint32]
    histories: list[History]
    consumed: list[BitMap]
    dismissed: list[BitMap]
    targets: list[npt.NDArray[np.uint32]]
    cut: int
    candidates: list[npt.NDArray[np.uint32]] | None = None
    moments: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.people.ndim != 1:
            raise InvalidInput("people", f"shape {self.people.shape}", "person numbers of shape (q,)")
        for name in ("histories", "consumed", "dismissed", "targets", "candidates"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self):
                raise InvalidInput(name, f"{len(column)} entries", f"one for each of the {len(self)} people")
        _check_items(self.targets, "targets")
        if self.candidates is not None:
            _check_items(self.candidates, "candidates")
        if self.moments is not None and (self.moments.shape != (len(self),) or self.moments.dtype != np.int64):
            raise InvalidInput("moments", f"{self.moments.dtype} of shape {self.moments.shape}", f"int64 of shape ({len(self)},)")

    def __len__(self) -> int:
        return len(self.people)

    def chosen(self, places: npt.NDArray[np.intp]) -> HeldOut:
        """The queries at `places`, shape (c,), each in 0 … q - 1, in the order given."""
        return HeldOut(
            self.people[places],
            [self.histories[place] for place in places],
            [self.consumed[place] for place in places],
            [self.dismissed[place] for place in places],
            [self.targets[place] for place in places],
            self.cut,
            None if self.candidates is None else [self.candidates[place] for place in places],
            None if self.moments is None else self.moments[places],
        )


def together(parts: Sequence[HeldOut]) -> HeldOut:
    """The queries of all `parts`, at least one, one part after the other, such as those of the same people at several moments.

    Raises `InvalidInput` unless all have one cut and either all or none of them candidates, and moments.
    """
    first = parts[0]
    for name in ("candidates", "moments"):
        if len({getattr(part, name) is None for part in parts}) > 1:
            raise InvalidInput(name, "some parts with and some without", "parts that are alike")
    if any(part.cut != first.cut for part in parts):
        raise InvalidInput("cut", sorted({part.cut for part in parts}), "one moment for all parts")
    return HeldOut(
        np.concatenate([part.people for part in parts]),
        [history for part in parts for history in part.histories],
        [items for part in parts for items in part.consumed],
        [items for part in parts for items in part.dismissed],
        [items for part in parts for items in part.targets],
        first.cut,
        None if first.candidates is None else [items for part in parts for items in part.candidates or ()],
        None if first.moments is None else np.concatenate([part.moments for part in parts if part.moments is not None]),
    )


def _check_items(column: list[npt.NDArray[np.uint32]], name: str) -> None:
    for place, items in enumerate(column):
        if items.ndim != 1 or items.dtype != np.uint32 or not len(items):
            given = f"{items.dtype} of shape {items.shape} at {place}"
            raise InvalidInput(name, given, "uint32 item numbers of shape (1 or more,) for each person")


@dataclass(frozen=True, eq=False)
class Split:
    """One cut: the events to learn from, at least one, and the people to judge on, at least one; `name` says how it was cut.

    `dropped`: how many of the pairs of a person and an item in a given test part are no targets, since the person had the item before.
    `excluded`: how many impressions are not judged, since nothing or everything in them was taken up.
    Raises `InvalidInput` where there is nothing to learn from or nobody to judge on.
    """

    training: EventTable
    held_out: HeldOut
    name: str
    dropped: int = 0
    excluded: int = 0

    def __post_init__(self) -> None:
        if not len(self.training):
            raise InvalidInput(f"{self.name}: training", "no event", "at least one event left to learn from")
        if not len(self.held_out):
            raise InvalidInput(f"{self.name}: held_out", "nobody", "at least one person who took up something new")


def usable(events: EventTable) -> EventTable:
    """The events that judging may look at: what people did themselves, allowing personalisation and measurement."""
    return events.consenting(_JUDGED).acted()


def held_out_of(
    known: EventTable,
    later: EventTable,
    weights: EventWeights,
    *,
    cut: int,
    candidates: npt.NDArray[np.uint32] | None = None,
    own_moments: bool = False,
    repeats: bool = False,
) -> HeldOut:
    """Everybody who took up something new in `later`, with what they did in `known` as their history.

    Both are `usable` events, and their times decide nothing here. Targets are items with positive weight that the person did not touch
    in `known`; with `repeats` those that the person did touch are targets too, as where what was consumed may be shown again, but for
    what was dismissed in `known`, which never is. `candidates`, ascending, shape (c,), are the same for all. With `own_moments` each
    query's "now" is the person's first event in `later`, otherwise `cut` (µs).
    """
    never = known.where(np.isin(known.type, list(DISMISSING))) if repeats else known
    new = (weights.table()[later.type] > 0) & ~among(pair_keys(later), np.sort(pair_keys(never)))
    pairs = distinct(pair_keys(later)[new])
    starts = np.flatnonzero(np.append(True, np.diff(pairs >> 32) > 0)) if len(pairs) else np.zeros(0, dtype=np.int64)
    people, items = pairs[starts] >> 32, (pairs & 0xFFFFFFFF).astype(np.uint32)
    histories = known.by_person()
    return HeldOut(
        people.astype(np.uint32),
        [histories[person][-HISTORY_LIMIT:] if person in histories else empty_history() for person in people.tolist()],
        _items_of(known, CONSUMING, people),
        _items_of(known, DISMISSING, people),
        np.split(items, starts[1:]) if len(people) else [],
        cut,
        None if candidates is None else [candidates] * len(people),
        later.at[np.searchsorted(later.person, people)] if own_moments else None,
    )


def cut_at_share(events: EventTable, share: float) -> int:
    """The moment (µs) before which `share`, in (0, 1), of the events lie; 0 without events. Raises `InvalidInput` for another share."""
    check_share(share)
    return int(np.quantile(events.at, share, method="higher")) if len(events) else 0


def hold_out(
    events: EventTable, weights: EventWeights, *, cut: int, until: int | None = None, reveal: float = 0.0, repeats: bool = False
) -> HeldOut:
    """The people who took up something new in [`cut`, `until`).

    Only events that allow personalisation and measurement count. `reveal`, in [0, 1), is the share of a person's events after
    the cut, rounded down, that are shown as history instead of judged: the generation stays the one of the cut while the
    person goes on, as in a day of serving. Targets are items with positive weight that the person had not touched before, or with
    `repeats` also those that the person had, as `held_out_of` has it. Raises `InvalidInput` for any other `reveal`.
    """
    if not 0 <= reveal < 1:
        raise InvalidInput("reveal", reveal, "a share of 0 or more, below 1")
    looked_at = usable(events if until is None else events.before(until))
    before = looked_at.at < cut
    # Within a person the earlier events come first, so that the number of later ones so far is an event's place among them.
    after = np.cumsum(~before) - 1
    _, starts, sizes = np.unique(looked_at.person, return_index=True, return_counts=True)
    later = np.add.reduceat((~before).astype(np.int64), starts) if len(starts) else np.zeros(0, dtype=np.int64)
    earlier_people = np.cumsum(later) - later
    revealed = (later * reveal).astype(np.int64)
    known = before | (after - np.repeat(earlier_people, sizes) < np.repeat(revealed, sizes))
    return held_out_of(looked_at.where(known), looked_at.where(~known), weights, cut=cut, repeats=repeats)


def of_later_people(events: EventTable, cut: int, most: int, *, seed: int) -> EventTable:
    """The events of at most `most` of the people who did anything from `cut` (µs) on, drawn without replacement.

    What is held out of a million people would take gigabytes; what is judged or learnt from is a few thousand of them.
    """
    return events.where(np.isin(events.person, drawn_people(events.person[events.at >= cut], most, seed=seed)))


def drawn_people(people: npt.NDArray[np.uint32], most: int, *, seed: int) -> npt.NDArray[np.uint32]:
    """At most `most` of the different `people`, shape (any,), drawn without replacement."""
    different: npt.NDArray[np.uint32] = np.unique(people)
    return different if len(different) <= most else np.random.default_rng(seed).choice(different, most, replace=False)


def by_time(
    events: EventTable, weights: EventWeights, *, cut: int, until: int | None = None, reveal: float = 0.0, repeats: bool = False
) -> Split:
    """Learn from the events before `cut` (µs), judge as `hold_out` does. Raises `InvalidInput` where either part is empty."""
    return Split(events.before(cut), hold_out(events, weights, cut=cut, until=until, reveal=reveal, repeats=repeats), "by time")


def rolling(events: EventTable, weights: EventWeights, *, cuts: Sequence[int], reveal: float = 0.0, repeats: bool = False) -> list[Split]:
    """Windows one after the other, from each of `cuts` (µs, ascending, at least two) to the next: learn before a window, judge inside it.

    Raises `InvalidInput` where the cuts do not ascend, or a window has nothing before it or nobody in it.
    """
    if len(cuts) < 2 or any(later <= earlier for earlier, later in pairwise(cuts)):
        raise InvalidInput("cuts", list(cuts), "two moments or more, each later than the one before")
    return [
        Split(
            events.before(start),
            hold_out(events, weights, cut=start, until=end, reveal=reveal, repeats=repeats),
            f"window {number} of {len(cuts) - 1}",
        )
        for number, (start, end) in enumerate(pairwise(cuts), 1)
    ]


def leave_last_out(
    events: EventTable, *, last: int = 1, fewest: int = 2, weights: EventWeights = DEFAULT_WEIGHTS, repeats: bool = False
) -> Split:
    """Each person's newest item is to be found from what the person did before it.

    The newest item is the one that was taken up for the first time last, with positive weight; of equal times, the one that stands
    later in the table. With `repeats` it is that of the newest event with positive weight, whether the person had the item or not, unless
    it was dismissed before. It and all that its person did after it leave training. People with fewer than `fewest` items, with
    `repeats` such events, 2 or more, are learnt from and not judged. `last` = 2 does so with what is left after a first time: for
    validation, which then knows nothing of the test; and so on. Each query's "now" is the time of its target. Training holds what others
    did later, which is the way of this protocol (Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018) and flatters:
    prefer `by_time`. Raises `InvalidInput` for other numbers and where nobody can be judged.
    """
    if last < 1:
        raise InvalidInput("last", last, "1 or more")
    if fewest < 2:
        raise InvalidInput("fewest", fewest, "2 or more, since something must be known of whom is judged")
    name = f"last but {last - 1} left out" if last > 1 else "last left out"
    training = events
    for _ in range(last):
        target = _newest_items(training, weights, fewest, repeats)
        ends = np.full(int(training.person.max(initial=0)) + 1, len(training), dtype=np.int64)
        ends[training.person[target]] = target
        left = np.arange(len(training)) < ends[training.person]
        training, targets = training.where(left), training.where(_mask(target, len(training)))
    judged = np.isin(training.person, targets.person)
    known, cut = usable(training.where(judged)), int(targets.at.max(initial=0))
    return Split(training, held_out_of(known, targets, weights, cut=cut, own_moments=True, repeats=repeats), name)


def given(
    training: EventTable,
    test: EventTable,
    *,
    candidates: npt.NDArray[np.uint32] | None = None,
    weights: EventWeights = DEFAULT_WEIGHTS,
    repeats: bool = False,
) -> Split:
    """Both parts as their publishers fixed them: a person's history are the training events, targets the items of the test part.

    A test item that the person has in training is no target, with `repeats` only where it was dismissed; `dropped` counts such pairs. An
    item that is in nobody's training stays a target, which only a catalogue that knows it can find. A person of the test part alone is
    judged with an empty history, one of the training part alone is not judged. `candidates`, shape (c,), are the only item numbers that
    may be ranked, for everybody. "Now" is the newest training event's time. Raises `InvalidInput` where there is nothing to learn from or
    nobody to judge on.
    """
    wanted = usable(test)
    wanted = wanted.where(weights.table()[wanted.type] > 0)
    allowed = None if candidates is None else np.unique(candidates).astype(np.uint32)
    cut = int(training.at.max(initial=0))
    held_out = held_out_of(usable(training), wanted, weights, cut=cut, candidates=allowed, repeats=repeats)
    pairs = len(distinct(pair_keys(wanted)))
    return Split(training, held_out, "as given", dropped=pairs - sum(len(targets) for targets in held_out.targets))


def check_share(share: float) -> None:
    """Raise `InvalidInput` unless `share` lies in (0, 1)."""
    if not 0 < share < 1:
        raise InvalidInput("share", share, "a share between 0 and 1, both excluded")


def pair_keys(events: EventTable) -> npt.NDArray[np.int64]:
    """One number for the person and the item of each event, shape (m,); they sort by person, then by item."""
    return events.person.astype(np.int64) << 32 | events.item


def _newest_items(events: EventTable, weights: EventWeights, fewest: int, repeats: bool) -> npt.NDArray[np.intp]:
    """The place in `events` of each person's last event that took up an item, of people with `fewest` such events; without `repeats`
    only the first event on an item counts."""
    looked_at = np.flatnonzero(((events.consent & _JUDGED) == _JUDGED) & (events.type != EventType.IMPRESSION))
    keys = pair_keys(events)[looked_at]
    order = np.argsort(keys, kind="stable")
    first: npt.NDArray[np.bool_] = np.append(True, np.diff(keys[order]) > 0)[: len(keys)]
    kept = first
    if repeats:
        # An event counts unless one on the same item that dismissed it stands before.
        dismissing = np.isin(events.type[looked_at[order]], list(DISMISSING))
        so_far: npt.NDArray[np.int64] = np.cumsum(dismissing) - dismissing
        kept = so_far == np.repeat(so_far[first], np.diff(np.flatnonzero(first), append=len(keys)))
    new = np.sort(looked_at[order[kept]])
    new = new[weights.table()[events.type[new]] > 0]
    _, starts, sizes = np.unique(events.person[new], return_index=True, return_counts=True)
    newest: npt.NDArray[np.intp] = new[(starts + sizes - 1)[sizes >= fewest]]
    return newest


def _mask(places: npt.NDArray[np.intp], length: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros(length, dtype=np.bool_)
    mask[places] = True
    return mask


def _items_of(events: EventTable, types: frozenset[int], people: npt.NDArray[np.int64]) -> list[BitMap]:
    """For each of `people`, shape (q,), the items of the events of `types`."""
    some = events.where(np.isin(events.type, list(types)))
    starts, ends = (np.searchsorted(some.person, people, side=side) for side in ("left", "right"))
    return [BitMap(some.item[start:end]) for start, end in zip(starts, ends, strict=True)]
