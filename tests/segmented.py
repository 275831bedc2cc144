"""Deltas made by hand, for tests of delta segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from handmade import unit

from recommender.items import Item, ItemKind, ItemState
from recommender.segments import Base, Delta

D = 8
BASE = Base(generation="20260301T123015-00000000", embedder="by hand", dimension=D)


def item(number: int, version: int = 0) -> Item:
    """The item of a number, told apart by its version."""
    return Item(id=f"ítem-{number}-😀", kind=ItemKind.ARTICLE, title=f"version {version}", categories=(f"category-{version % 3}", "news"))


def vector(number: int, version: int = 0) -> npt.NDArray[np.float32]:
    """The unit vector of a version of an item, shape (D,)."""
    return unit(np.random.default_rng([number, version]).normal(size=(1, D)))[0]


def delta(upserts: Sequence[tuple[int, int]] = (), removed: Sequence[int] = ()) -> Delta:
    """The delta of (number, version) pairs and of `removed` numbers."""
    vectors = np.stack([vector(number, version) for number, version in upserts]) if upserts else np.zeros((0, D), dtype=np.float32)
    return Delta.of([(number, ItemState.LIVE, item(number, version)) for number, version in upserts], vectors, removed, dimension=D)
