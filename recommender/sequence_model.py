"""A transformer that reads a history and says what comes next (SASRec: Kang & McAuley, ICDM 2018), in the form in which it is served."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import erf

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

        return cls(empty(n, 0), empty(n), empty(1, 0), empty(0, 1, 0), empty(0, 1, 0), empty(0, 1, 0), empty(1, 2, 0), heads=1)

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which items were learnt, shape (n,)."""
        known: npt.NDArray[np.bool_] = np.any(self.items != 0, axis=1)
        return known

    def encode(self, history: Rows) -> Floats:
        """What a history of at least one learnt item, `history`, shape (h,), rows, newest last, asks of the next item: shape (d,).

        As many of the newest items count as there are positions.
        """
        history = history[-len(self.positions) :]
        states: Floats = self.items[history] + self.positions[len(history) - 1 :: -1]
        for block in range(len(self.attention)):
            # Nothing looks at what the last block makes of older items.
            wanted = slice(-1, None) if block == len(self.attention) - 1 else slice(None)
            states = states[wanted] + self._attended(_normed(states, self.norms[2 * block]), wanted, block)
            inner = _through(_normed(states, self.norms[2 * block + 1]), self.widening[block])
            states = states + _through(_gelu(inner), self.narrowing[block])
        return _normed(states[-1], self.norms[-1])

    def _attended(self, states: Floats, wanted: slice, block: int) -> Floats:
        """What each `wanted` state takes from itself and those before it, shape (w, d)."""
        d, matrices = self.items.shape[1], self.attention[block]
        queries = self._by_head(_through(states[wanted], matrices[:, :d]))
        keys = self._by_head(_through(states, matrices[:, d : 2 * d]))
        values = self._by_head(_through(states, matrices[:, 2 * d : 3 * d]))
        logits = queries @ keys.transpose(0, 2, 1) * np.float32((d / self.heads) ** -0.5)
        if logits.shape[1] > 1:
            logits = np.where(np.tri(len(states), dtype=np.bool_), logits, np.float32(-np.inf))
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        taken = (weights / weights.sum(axis=-1, keepdims=True)) @ values
        return _through(taken.transpose(1, 0, 2).reshape(-1, d), matrices[:, 3 * d :])

    def _by_head(self, states: Floats) -> Floats:
        return states.reshape(len(states), self.heads, -1).transpose(1, 0, 2)


ARRAYS = ("items", "bias", "positions", "attention", "widening", "narrowing", "norms")
"""Fields of a model that are arrays."""


def _through(states: Floats, matrix: Floats) -> Floats:
    """Shape (w, out): `states`, shape (w, in), through `matrix`, shape (in + 1, out), whose last row is added."""
    through: Floats = states @ matrix[:-1] + matrix[-1]
    return through


def _normed(states: Floats, norm: Floats) -> Floats:
    """Each state at mean 0 and variance 1, scaled and shifted by `norm`, shape (2, d)."""
    centred = states - states.mean(axis=-1, keepdims=True)
    normed: Floats = centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + EPSILON) * norm[0] + norm[1]
    return normed


def _gelu(states: Floats) -> Floats:
    smooth: Floats = states * (erf(states * np.float32(0.5**0.5)) + np.float32(1)) * np.float32(0.5)
    return smooth
