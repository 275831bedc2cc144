"""Paging without state: what is left of a ranking travels in the page token, and each page only re-checks eligibility."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.composing.slate_kernels import BREAKING, MARKS
from recommender.errors import InvalidInput
from recommender.events import Consent, Subject
from recommender.feeds import Basis, Feed, SourceName
from recommender.items import ItemKind
from recommender.placements import SLATE_LIMIT

DIGEST_SIZE = 16
"""Bytes of a decision id and of a binding."""

NAME_BYTES_LIMIT = 100
"""UTF-8 bytes of each name that a token carries: placement, its version, generation id, arm."""

OFFSET_LIMIT = 65_535

TAKEN_IN_LIMIT = 100
"""Items that came after a feed was begun and that its pages remember to have taken in; where there are more, nothing older than the first
of them is taken in any more."""

_ARRAYS = (
    ("numbers", np.dtype(np.uint32)),
    ("sources", np.dtype(np.uint8)),
    ("probabilities", np.dtype(np.float32)),
    ("marks", np.dtype(np.uint8)),
)
_SOURCES = min(map(int, SourceName)), max(map(int, SourceName))


@dataclass(frozen=True, eq=False)
class Page:
    """What is left of the ranking of one decision, best first; checked on construction.

    `decision_id` and `binding`: 16 bytes each. `issued_at`: when the first page was made (aware); it stays with the rest.
    `offset`: how many items were handed out before, 0 to 65,535. `numbers`: item numbers, shape (n,), uint32, all
    different, 1 ≤ n ≤ 500. `sources`: shape (n,), uint8, `SourceName`. `probabilities`: shape (n,), float32, in [0, 1]. `marks`: shape
    (n,), uint8, below `MARKS`: what put each there. `newest`: the highest number that any item had; whatever has a higher one came later.
    `taken_in`: at most `TAKEN_IN_LIMIT` numbers of what came later and was handed out already. Raises `InvalidInput` naming the field.
    """

    decision_id: bytes
    binding: bytes
    issued_at: datetime
    generation_id: str
    placement_version: str
    offset: int
    basis: Basis
    numbers: npt.NDArray[np.uint32]
    sources: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    marks: npt.NDArray[np.uint8]
    newest: int = 2**32 - 1
    taken_in: tuple[int, ...] = ()

    @classmethod
    def of_feed(
        cls,
        *,
        decision_id: bytes,
        binding: bytes,
        issued_at: datetime,
        generation_id: str,
        placement_version: str,
        offset: int,
        basis: Basis,
        feed: Feed,
        newest: int,
    ) -> Page:
        """What is left of `feed` after the first `offset` items, at least one. What the engine ranks needs no check."""
        made = object.__new__(cls)
        made.__dict__.update(
            decision_id=decision_id,
            binding=binding,
            issued_at=issued_at,
            generation_id=generation_id,
            placement_version=placement_version,
            offset=offset,
            basis=basis,
            numbers=feed.numbers[offset:],
            sources=feed.sources[offset:],
            probabilities=feed.probabilities[offset:],
            marks=feed.marks[offset:],
            newest=newest,
            taken_in=(),
        )
        return made

    def __post_init__(self) -> None:
        for name in ("decision_id", "binding"):
            if len(getattr(self, name)) != DIGEST_SIZE:
                raise InvalidInput(name, f"{len(getattr(self, name))} bytes", f"{DIGEST_SIZE} bytes")
        if self.issued_at.tzinfo is None:
            raise InvalidInput("issued_at", self.issued_at.isoformat(), "a time with its offset")
        for name in ("generation_id", "placement_version"):
            check_name(getattr(self, name), name)
        if not 0 <= self.offset <= OFFSET_LIMIT:
            raise InvalidInput("offset", self.offset, f"0 to {OFFSET_LIMIT}")
        shape = (np.size(self.numbers),)
        for name, dtype in _ARRAYS:
            array = np.array(getattr(self, name), dtype=dtype)
            if array.shape != shape:
                raise InvalidInput(name, f"shape {array.shape}", f"one entry per item: shape {shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not 1 <= len(self.numbers) <= SLATE_LIMIT:
            raise InvalidInput("numbers", f"{len(self.numbers)} items", f"1 to {SLATE_LIMIT} items")
        if len(set(self.numbers.tolist())) != len(self.numbers):
            raise InvalidInput("numbers", "an item twice", "each item once")
        least, most = _SOURCES
        if not (least <= self.sources.min() and self.sources.max() <= most):
            raise InvalidInput("sources", f"{self.sources.min()} to {self.sources.max()}", f"{least} to {most}")
        # Written so that NaN fails.
        if not (self.probabilities.min() >= 0 and self.probabilities.max() <= 1):
            raise InvalidInput("probabilities", "values outside of 0 to 1", "numbers from 0 to 1")
        if self.marks.max() >= MARKS:
            raise InvalidInput("marks", int(self.marks.max()), f"0 to {MARKS - 1}")
        for name, numbers in (("newest", (self.newest,)), ("taken_in", self.taken_in)):
            if not all(0 <= number < 2**32 for number in numbers):
                raise InvalidInput(name, numbers, "0 to 4294967295")
        if len(self.taken_in) > TAKEN_IN_LIMIT:
            raise InvalidInput("taken_in", f"{len(self.taken_in)} items", f"at most {TAKEN_IN_LIMIT}")


def check_name(value: str, field: str) -> None:
    """Raise `InvalidInput` unless `value` fits into a token."""
    try:
        fits = len(value.encode()) <= NAME_BYTES_LIMIT
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise InvalidInput(field, value, f"at most {NAME_BYTES_LIMIT} bytes of UTF-8")


@dataclass(frozen=True, eq=False)
class Taken:
    """One page's items, best first, and what is left after them.

    `numbers` uint32, `sources` uint8, `probabilities` float32, `marks` uint8 and `positions` int64 all have the shape (k,), k ≤ the size
    asked for. `positions` count from 0 through all pages of the decision, without gaps. `rest` is None when nothing that
    may be shown is left.
    """

    numbers: npt.NDArray[np.uint32]
    sources: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    marks: npt.NDArray[np.uint8]
    positions: npt.NDArray[np.int64]
    rest: Page | None


@dataclass(frozen=True, eq=False)
class TakenIn:
    """Items that came after a feed was begun: their `numbers`, shape (b,), uint32, which no page has had, and the `slots` where they may
    stand, from 1, rising. What finds no slot waits for the next page."""

    numbers: npt.NDArray[np.uint32]
    slots: tuple[int, ...]


def take_page(page: Page, eligible: npt.NDArray[np.bool_], size: int, taken_in: TakenIn | None = None) -> Taken:
    """The next `size` ≥ 1 items of `page` that may be shown, fewer only where there are no more, with what is `taken_in` among them.

    `eligible`, shape (n,), says which of `page.numbers` may be shown now. Others are skipped: those before the last item
    taken are gone for good, those after it are asked about again when their page comes. So no item is ever repeated.
    Raises `InvalidInput` for a size below 1 or a mask of another shape.
    """
    if size < 1:
        raise InvalidInput("size", size, "1 or more")
    if eligible.shape != page.numbers.shape or eligible.dtype != np.bool_:
        raise InvalidInput("eligible", f"{eligible.dtype} of shape {eligible.shape}", f"bool of shape {page.numbers.shape}")
    places = np.flatnonzero(eligible)
    slots = () if taken_in is None else taken_in.slots[: min(len(taken_in.numbers), size - 1)]
    taken = places[: size - len(slots)]
    rest: Page | None = None
    if len(places) > len(taken):
        left = slice(int(taken[-1]) + 1, None)
        handed_out = sorted((*page.taken_in, *(() if taken_in is None else taken_in.numbers[: len(slots)].tolist())))
        kept = handed_out[max(len(handed_out) - TAKEN_IN_LIMIT, 0) :]
        rest = replace(
            page,
            offset=page.offset + len(taken) + len(slots),
            newest=max([page.newest, *handed_out[: len(handed_out) - len(kept)]]),
            taken_in=tuple(kept),
            numbers=page.numbers[left],
            sources=page.sources[left],
            probabilities=page.probabilities[left],
            marks=page.marks[left],
        )
    return Taken(
        numbers=_joined(page.numbers[taken], slots, () if taken_in is None else taken_in.numbers),
        sources=_joined(page.sources[taken], slots, [SourceName.FRESH] * len(slots)),
        probabilities=_joined(page.probabilities[taken], slots, [1] * len(slots)),
        marks=_joined(page.marks[taken], slots, [BREAKING] * len(slots)),
        positions=page.offset + np.arange(len(taken) + len(slots), dtype=np.int64),
        rest=rest,
    )


def _joined(column: npt.NDArray[Any], slots: Sequence[int], values: Sequence[int] | npt.NDArray[np.uint32]) -> npt.NDArray[Any]:
    """A `column` of a page with `values` at `slots`, from 1; what would stand behind its end follows it."""
    for slot, value in zip(slots, values, strict=False):
        column = np.insert(column, min(slot - 1, len(column)), value)
    return column


def binding(
    *,
    subject: Subject,
    placement: str,
    context: Mapping[str, str | Sequence[str]],
    kinds: Iterable[ItemKind],
    filter: str,
    consent: Consent | None,
) -> bytes:
    """Digest, 16 bytes, of everything in a request that must stay the same from page to page.

    `context` by field name; an empty value is the same as an absent one. `kinds` in any order. `consent` is None where the
    request says nothing. Page size, exclusions and the wish for explanations are not part of it and may change.
    """
    said = {name: value if isinstance(value, str) else list(value) for name, value in context.items() if value}
    # What json.dumps would write of all of it, with sorted keys, in a tenth of the time.
    canonical = (
        f'{{"consent": {"null" if consent is None else int(consent)}, "context": {json.dumps(said, sort_keys=True) if said else "{}"}, '
        f'"filter": {quoted(filter)}, "kinds": {sorted({int(kind) for kind in kinds})}, "placement": {quoted(placement)}, '
        f'"subject": [{int(subject.kind)}, {quoted(subject.id)}]}}'
    )
    return hashlib.sha256(canonical.encode()).digest()[:DIGEST_SIZE]
