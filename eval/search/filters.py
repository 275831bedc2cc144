"""Which rows a measured search may find: filters of every selectivity, and rows that are gone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from eval.search.vector_sets import VectorSet

Mask = npt.NDArray[np.bool_]

SHARES = (0.5, 0.1, 0.01, 0.001)
GONE = 0.05
GONE_NEAREST = 100


def filters(drawn: VectorSet, cosines: npt.NDArray[np.float32], rng: np.random.Generator) -> Iterator[tuple[str, Mask]]:
    """The name of each filter and the rows that pass, shape (n,). `cosines`: shape (q, n), of the queries with all rows."""
    n = len(drawn.vectors)
    yield "none", np.ones(n, dtype=np.bool_)
    for share in SHARES:
        yield f"{share:.1%} at random", _first(rng.permutation(n), share, n)
    # Whole groups one after the other, the last one in part.
    turn = rng.permutation(int(drawn.group.max()) + 1)
    order = np.argsort(turn[drawn.group], kind="stable")
    for share in SHARES:
        yield f"{share:.1%}, whole groups", _first(order, share, n)
    yield f"{GONE:.0%} gone at random", ~_first(rng.permutation(n), GONE, n)
    gone = np.ones(n, dtype=np.bool_)
    for line in cosines:
        gone[np.argpartition(-line, GONE_NEAREST)[:GONE_NEAREST]] = False
    yield f"the {GONE_NEAREST} nearest to each query gone", gone


def _first(order: npt.NDArray[np.int64], share: float, n: int) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    mask[order[: max(1, round(share * n))]] = True
    return mask
