"""A transformer that reads a history and says what comes next (SASRec: Kang & McAuley, ICDM 2018), in the form in which it is served."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from recommender.kernels import dots, gelu, normed

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]

EPSILON = np.float32(1e-5)
"""Added to variances before states are divided by their root."""
WIDENING = 4
"""How many times as wide as a state the inner layer of a block is."""


@dataclass(frozen=True, eq=False)
class SequenceModel:
    """What was learnt of n items in d numbers each, all float32: b blocks of attention and a wide layer, norms before each (pre-norm).

    `items`: shape (n, d), embeddings, by which items are both read and scored; zeros for items that were not learnt. `bias`:
    shape (n,). `positions`: shape (l, d), l ≥ 1, what is added to an item by how many items came after it, so that a history's
    newest one is always at position 0. `attention`: shape (b, d + 1, 4d), the matrices of queries, keys, values and output side by
    side; `widening`: shape (b, d + 1, 4d); `narrowing`: shape (b, 4d + 1, d); the last row of each is what is added. `norms`: shape
    (2b + 1, 2, d), scale and shift of the norms before the attention and the wide layer of every block, and at the end. `heads`:
    parts, each of d / heads numbers, that attend for themselves.

    `usual`: what the logarithm of the sum of the exponentials of all scores is after a usual history, so that scores less this are
    logarithms of chances, but for how sure the model is of this history: it is the surer, the higher all that it names scores.

    The score of item i is items_i · encode(history) + bias_i, the logarithm of its chance to come next but for what is the same for all
    items. Raises ValueError when shapes do not fit or an array is not float32.
    """

    items: Floats
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
            if getattr(self, name).dtype != np.float32:
                raise ValueError(f"{name} is {getattr(self, name).dtype}, allowed is float32")
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
        known: npt.NDArray[np.bool_] = np.any(self.items != 0, axis=1)
        return known

    def encode(self, history: Rows) -> Floats:
        """What a history of at least one learnt item, `history`, shape (h,), rows, newest last, asks of the next item: shape (d,).

        As many of the newest items count as there are positions.
        """
        return self.read(history)[0]

    def read(self, history: Rows) -> tuple[Floats, Floats]:
        """The encoding, and how much of its attention in the last block each item of the history had, shape (h,), ≥ 0, summing to 1."""
        encoded, attention = self._encoded(history, None)
        whole = np.zeros(len(history), dtype=np.float32)
        whole[len(history) - attention.shape[-1] :] = attention[0]
        return encoded[0], whole

    def encode_without(self, history: Rows, places: npt.NDArray[np.integer]) -> Floats:
        """The encodings of a history of two items or more, shape (h,), when nothing may attend to the item at each of `places`, shape (p,):
        shape (p, d). All else stays as it is, positions too; only without the newest item the one before is the newest."""
        made = np.empty((len(places), self.items.shape[1]), dtype=np.float32)
        newest = places == len(history) - 1
        if newest.any():
            made[newest] = self.encode(history[:-1])
        others = places[~newest]
        if len(others):
            made[~newest] = self._encoded(history, others)[0]
        return made

    def _encoded(self, history: Rows, without: npt.NDArray[np.integer] | None) -> tuple[Floats, Floats]:
        """The encoding, shape (1, d), or those without each of `without`, shape (p, d), and what was attended to of the items for which
        there are positions, shape (1, h) or (p, h)."""
        older = max(len(history) - len(self.positions), 0)
        history = history[older:]
        states: Floats = self.items[history] + self.positions[len(history) - 1 :: -1]
        if without is None:
            lines, hidden = states[None], np.zeros((1, len(history)), dtype=np.bool_)
        else:
            lines, hidden = states[None], np.arange(len(history)) == (without - older)[:, None]
        attention: Floats = np.eye(len(history), dtype=np.float32)[-1:]
        for block in range(len(self.attention)):
            # Nothing looks at what the last block makes of older items.
            wanted = slice(-1, None) if block == len(self.attention) - 1 else slice(None)
            taken, attention = self._attended(_normed(lines, self.norms[2 * block]), hidden, wanted, block)
            lines = lines[:, wanted] + taken
            inner = _through(_normed(lines, self.norms[2 * block + 1]), self.widening[block])
            lines = lines + _through(_gelu(inner), self.narrowing[block])
        made: Floats = np.broadcast_to(_normed(lines[:, -1], self.norms[-1]), (len(hidden), self.items.shape[1]))
        return made, attention

    def logits(self, state: Floats, rows: Rows) -> Floats:
        """The scores of `rows`, shape (m,), after a history of this encoding."""
        logits: Floats = dots(self.items, rows, state) + self.bias[rows]
        return logits

    def total(self, history: Rows) -> float:
        """Logarithm of what the exponentials of all learnt items' scores sum to after `history`, as `encode` takes it."""
        scores = (self.items @ self.encode(history) + self.bias)[self.known]
        most = float(scores.max())
        return most + float(np.log(np.exp(scores - most).sum()))

    def _attended(self, lines: Floats, hidden: npt.NDArray[np.bool_], wanted: slice, block: int) -> tuple[Floats, Floats]:
        """What each `wanted` state takes from itself and those before it but for the `hidden` ones, shape (p, h): shape (p, w, d); and the
        shares in which the last of them takes it, the mean over heads, shape (p, h).

        `lines`: shape (1, h, d) where all lines are the same still, else (p, h, d).
        """
        d, matrices = self.items.shape[1], self.attention[block]
        queries = self._by_head(_through(lines[:, wanted], matrices[:, :d]))
        both = _through(lines, matrices[:, d : 3 * d])
        keys, values = self._by_head(both[..., :d]), self._by_head(both[..., d:])
        logits = queries @ keys.transpose(0, 1, 3, 2) * np.float32((d / self.heads) ** -0.5)
        h = lines.shape[1]
        seen = ~hidden[:, None, None, :]
        if logits.shape[2] > 1:
            # What is hidden still sees itself, or it would see nothing where it is the oldest.
            seen = np.tri(h, dtype=np.bool_) & (seen | np.eye(h, dtype=np.bool_))
        logits = np.where(seen, logits, np.float32(-np.inf))
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        taken = weights @ values
        return _through(taken.transpose(0, 2, 1, 3).reshape(len(taken), -1, d), matrices[:, 3 * d :]), weights[:, :, -1].mean(axis=1)

    def _by_head(self, lines: Floats) -> Floats:
        return lines.reshape(*lines.shape[:2], self.heads, -1).transpose(0, 2, 1, 3)


ARRAYS = ("items", "bias", "positions", "attention", "widening", "narrowing", "norms")
"""Fields of a model that are arrays."""


def _through(states: Floats, matrix: Floats) -> Floats:
    """Shape (…, out): `states`, shape (…, in), through `matrix`, shape (in + 1, out), whose last row is added."""
    through: Floats = states @ matrix[:-1] + matrix[-1]
    return through


def _normed(states: Floats, norm: Floats) -> Floats:
    """Each state, shape (…, d), at mean 0 and variance 1, scaled and shifted by `norm`, shape (2, d)."""
    made: Floats = normed(states.reshape(-1, states.shape[-1]), norm[0], norm[1], EPSILON).reshape(states.shape)
    return made


def _gelu(states: Floats) -> Floats:
    made: Floats = gelu(states.reshape(-1, states.shape[-1])).reshape(states.shape)
    return made
