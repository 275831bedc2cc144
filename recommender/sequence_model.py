"""A transformer that reads a history and says what comes next (SASRec: Kang & McAuley, ICDM 2018), in the form in which it is served."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.half_kernels import dots_of_all
from recommender.halves import Halves, halved, nonzero_rows
from recommender.read_only import read_only
from recommender.sequence_kernels import NONE_HIDDEN, chances, falls, normed, placed, read_last, read_without, through, widened

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]

EPSILON = np.float32(1e-5)
"""Added to variances before states are divided by their root."""
WIDENING = 4
"""How many times as wide as a state the inner layer of a block is."""


@dataclass(frozen=True, eq=False)
class SequenceModel:
    """What was learnt of n items in d numbers each, float32, the items as they are served in half precision: b blocks of attention and a
    wide layer, norms before each (pre-norm).

    `items`: shape (n, d), embeddings, by which items are both read and scored; zeros for items that were not learnt. `bias`:
    shape (n,). `positions`: shape (l, d), l ≥ 1, what is added to an item by how many items came after it, so that a history's
    newest one is always at position 0. `attention`: shape (b, d + 1, 4d), the matrices of queries, keys, values and output side by
    side; `widening`: shape (b, d + 1, 4d); `narrowing`: shape (b, 4d + 1, d); the last row of each is what is added. `norms`: shape
    (2b + 1, 2, d), scale and shift of the norms before the attention and the wide layer of every block, and at the end. `heads`:
    parts, each of d / heads numbers, that attend for themselves.

    `usual`: what the logarithm of the sum of the exponentials of all scores is after a usual history, so that scores less this are
    logarithms of chances, but for how sure the model is of this history: it is the surer, the higher all that it names scores.

    The score of item i is items_i · encode(history) + bias_i, the logarithm of its chance to come next but for what is the same for all
    items. Raises ValueError when shapes do not fit or an array is of another dtype.
    """

    items: Floats | npt.NDArray[np.float16]
    bias: Floats
    positions: Floats
    attention: Floats
    widening: Floats
    narrowing: Floats
    norms: Floats
    heads: int
    usual: float = 0.0

    def __post_init__(self) -> None:
        if self.items.ndim != 2:
            raise ValueError(f"items has shape {self.items.shape}, allowed are two dimensions")
        if self.positions.ndim != 2 or not len(self.positions):
            raise ValueError(f"positions has shape {self.positions.shape}, allowed are two dimensions and at least one row")
        (n, d), b = self.items.shape, len(self.attention)
        wide = WIDENING * d
        for name, shape in (
            ("bias", (n,)),
            ("positions", (len(self.positions), d)),
            ("attention", (b, d + 1, 4 * d)),
            ("widening", (b, d + 1, wide)),
            ("narrowing", (b, wide + 1, d)),
            ("norms", (2 * b + 1, 2, d)),
        ):
            given = getattr(self, name).shape
            if given != shape:
                raise ValueError(f"{name} has shape {given}, with items of shape {(n, d)} and {b} blocks it is {shape}")
        for name in ARRAYS:
            given, allowed = getattr(self, name).dtype.name, ("float32", "float16") if name == "items" else ("float32",)
            if given not in allowed:
                raise ValueError(f"{name} is {given}, allowed is {' or '.join(allowed)}")
        if self.heads < 1 or d % self.heads:
            raise ValueError(f"heads is {self.heads}, allowed is what divides {d}")

    @classmethod
    def none(cls, n: int) -> SequenceModel:
        """A model that has learnt nothing of n items."""

        def empty(*shape: int) -> Floats:
            return np.zeros(shape, dtype=np.float32)

        return cls(
            items=empty(n, 0),
            bias=empty(n),
            positions=empty(1, 0),
            attention=empty(0, 1, 0),
            widening=empty(0, 1, 0),
            narrowing=empty(0, 1, 0),
            norms=empty(1, 2, 0),
            heads=1,
        )

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which items were learnt, shape (n,)."""
        return nonzero_rows(self._halves)

    @cached_property
    def _halves(self) -> Halves:
        """The items as they are read and scored by."""
        return read_only(np.ascontiguousarray(halved(self.items)))

    @cached_property
    def _learnt(self) -> _Learnt:
        return _Learnt(*(read_only(np.ascontiguousarray(getattr(self, name))) for name in ARRAYS))

    def encode(self, history: Rows) -> Floats:
        """What a history of at least one learnt item, `history`, shape (h,), rows, newest last, asks of the next item: shape (d,).

        As many of the newest items count as there are positions.
        """
        return self.read(history).encoded

    def read(self, history: Rows) -> Reading:
        """The same, with what a reading without one of the items can start from."""
        return self._read(history, NONE_HIDDEN)

    def encode_without(self, reading: Reading, places: npt.NDArray[np.integer]) -> Floats:
        """The encodings of a history of two items or more that was read, when nothing may attend to the item at each of `places`, shape
        (p,): shape (p, d). All else stays as it is, positions too; only without the newest item the one before is the newest."""
        hidden: npt.NDArray[np.int64] = places.astype(np.int64)
        if len(self.attention) == 1:
            learnt = self._learnt
            return read_without(
                self._halves,
                learnt.positions,
                reading.history,
                reading.states,
                reading.lines,
                reading.logits,
                hidden,
                *self._last_block,
            )
        last = len(reading.history) - 1
        read = [
            self.encode(reading.history[:-1]) if place == last else self._read(reading.history, place).encoded for place in hidden.tolist()
        ]
        return np.array(read, dtype=np.float32).reshape(len(places), -1)

    def falls(self, reading: Reading, without: Floats, rows: Rows, fallen: Floats, first: int) -> bool:
        """Write by how much scores of `rows`, shape (r,), fall `without` each of some events, encodings of shape (p, d), into the columns
        from the `first` of `fallen`, shape (r, any): -inf for rows that were not learnt. Returns whether every other row falls in some
        column up to there."""
        return bool(falls(self._halves, self.known, rows, reading.encoded, without, fallen, first))

    def _read(self, history: Rows, without: int) -> Reading:
        """Read a history while nothing attends to the item at the place `without`, not the newest, if that is one."""
        learnt = self._learnt
        older = max(len(history) - len(self.positions), 0)
        states = placed(self._halves, learnt.positions, history[older:])
        whole = np.zeros(len(history), dtype=np.float32)
        if not len(self.attention):
            whole[-1] = 1
            return Reading(history, states, states, states[:, :0].T, normed(states[-1:], learnt.norms[-1], EPSILON)[0], whole)
        hidden = max(without - older, NONE_HIDDEN)
        for block in range(len(self.attention) - 1):
            states = self._through_block(states, hidden, block)
        lines, logits, encoded, shares = read_last(states, hidden, *self._last_block)
        whole[older:] = shares[0]
        return Reading(history, states, lines, logits, encoded[0], whole)

    @cached_property
    def _last_block(self) -> tuple[Floats, int, Floats, Floats, Floats, np.float32]:
        learnt = self._learnt
        return learnt.attention[-1], self.heads, learnt.widening[-1], learnt.narrowing[-1], learnt.norms, EPSILON

    def scores(self, rows: Rows, state: Floats, most: np.float32, power: np.float32) -> Floats:
        """Scores of `rows`, shape (m,), after a history of the encoding `state`, less what is `usual` and no more than `most`, as chances
        to this `power`: shape (m,); -inf for rows that were not learnt and where the chance is too small for a number above 0."""
        return chances(self._halves, self._learnt.bias, self.known, rows, state, np.float32(self.usual), most, power)

    def logits(self, state: Floats) -> Floats:
        """Logits of all items after a history of the encoding `state`, shape (n,)."""
        logits: Floats = dots_of_all(self._halves, state) + self.bias
        return logits

    def total(self, history: Rows) -> float:
        """Logarithm of what the exponentials of all learnt items' scores sum to after `history`, as `encode` takes it."""
        scores = self.logits(self.encode(history))[self.known]
        most = float(scores.max())
        return most + float(np.log(np.exp(scores - most).sum()))

    def _through_block(self, states: Floats, hidden: int, block: int) -> Floats:
        """What a block that is not the last makes of `states`, shape (h, d), where nothing attends to the `hidden` one."""
        learnt, (h, d) = self._learnt, states.shape
        lines = normed(states, learnt.norms[2 * block], EPSILON)
        made = through(lines, learnt.attention[block], 0, 3 * d)
        queries, keys, values = made.reshape(h, 3, self.heads, -1).transpose(1, 2, 0, 3)
        logits = queries @ keys.transpose(0, 2, 1) * np.float32((d / self.heads) ** -0.5)
        # What is hidden still sees itself, or it would see nothing where it is the oldest.
        seen = np.tri(h, dtype=np.bool_) & ((np.arange(h) != hidden) | np.eye(h, dtype=np.bool_))
        logits = np.where(seen, logits, np.float32(-np.inf))
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        taken: Floats = np.ascontiguousarray((weights @ values).transpose(1, 0, 2).reshape(h, d))
        states = states + through(taken, learnt.attention[block], 3 * d, d)
        return widened(states, learnt.norms[2 * block + 1], learnt.widening[block], learnt.narrowing[block], EPSILON)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a model made of a `history`, shape (h,), of which it has positions for the newest l.

    `encoded`: shape (d,), what the history asks of the next item. `attention`: shape (h,), ≥ 0, summing to 1, how much of the attention
    in the last block each item had, the mean over heads. What the last block was given, `states`, shape (l, d), those at mean 0 and
    variance 1, `lines`, and what the newest one asked of them, `logits`, shape (heads, l), none without blocks.
    """

    history: Rows
    states: Floats
    lines: Floats
    logits: Floats
    encoded: Floats
    attention: Floats


class _Learnt(NamedTuple):
    """The arrays of a model, read-only."""

    items: Floats
    bias: Floats
    positions: Floats
    attention: Floats
    widening: Floats
    narrowing: Floats
    norms: Floats


ARRAYS = _Learnt._fields
"""Fields of a model that are arrays."""
