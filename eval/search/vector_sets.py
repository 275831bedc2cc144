"""The vectors on which search is measured: such as embedded texts are, and such as are hard to tell apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from eval.world.catalogue import Catalogue, vectors
from eval.world.shape import Shape

PER_GROUP = 2_000
"""Near-duplicates come in groups of about so many, of uneven size, at least `FEWEST_GROUPS`."""
FEWEST_GROUPS = 8
SPREAD = 0.18
"""Near-duplicates differ from the centre of their group by a random vector of this length: cosines are about .97 within a group and 0
elsewhere. Which of a group are nearest depends on the third digit."""
_PART = 65_536


@dataclass(frozen=True, eq=False)
class VectorSet:
    """`vectors`: shape (n, d), float32, unit rows; `group`: shape (n,), int32, which of them belong together."""

    vectors: npt.NDArray[np.float32]
    group: npt.NDArray[np.int32]


def text_like(rows: int, dimension: int, seed: int) -> VectorSet:
    """The vectors of a synthetic world: topics within categories, with few strong directions and many weak ones."""
    catalogue = Catalogue.drawn(Shape(items=rows, users=10, events=100, seed=seed, dimension=dimension))
    made = np.empty((rows, dimension), dtype=np.float32)
    start = 0
    for part in vectors(catalogue):
        made[start : start + len(part)] = part
        start += len(part)
    return VectorSet(made, catalogue.topic)


def near_duplicates(rows: int, dimension: int, seed: int) -> VectorSet:
    """Many tight groups, much nearer to each other than to anything else, so that coarse codes are the same within a group."""
    rng = np.random.default_rng(seed)
    groups = max(FEWEST_GROUPS, rows // PER_GROUP)
    sizes = 1 / (np.arange(groups) + 5.0) ** 0.5
    group = rng.choice(groups, rows, p=sizes / sizes.sum()).astype(np.int32)
    centres = rng.standard_normal((groups, dimension), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    made = np.empty((rows, dimension), dtype=np.float32)
    for start in range(0, rows, _PART):
        part = group[start : start + _PART]
        own = rng.standard_normal((len(part), dimension), dtype=np.float32) * np.float32(SPREAD / np.sqrt(dimension))
        own += centres[part]
        made[start : start + len(part)] = own / np.linalg.norm(own, axis=1, keepdims=True)
    return VectorSet(made, group)


SETS: Mapping[str, Callable[[int, int, int], VectorSet]] = MappingProxyType({"text": text_like, "near-duplicates": near_duplicates})
"""What draws each set from rows, dimension and seed."""
