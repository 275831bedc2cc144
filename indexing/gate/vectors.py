"""Whether vectors are what a search takes them for, and whether it finds what is nearest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexing.embedding import CatalogueVectors
from recommender.generation import Contents, GateCheck
from recommender.halves import nearest
from recommender.profile import Gate
from recommender.recall import ALIKE

SAMPLE = 200
"""Items that are looked for."""
QUERIES, DEEP = 64, 100
"""Vectors whose nearest are looked for, and how many of the nearest."""
UNIT_TOLERANCE = 5e-3
"""Half-precision rounding moves the length of a unit vector by less than this."""
FEW_MISFITS, MISFIT_SHARE = 10, 0.05
"""Own vectors of another length than most that are put up with: so many, or this share if that is more."""


def check_own_vectors(vectors: CatalogueVectors) -> GateCheck:
    """Whether the items' own vectors fit together; a few that do not are left out and named, so that one bad item stops no night."""
    bad, most = len(vectors.misfits), max(FEW_MISFITS, int(vectors.own * MISFIT_SHARE))
    named = f"; left out for their length: {', '.join(vectors.misfits[:5])}{' …' if bad > 5 else ''}" if bad else ""
    return GateCheck(name="own-vectors", passed=bad <= most, message=f"{bad} of {vectors.own} do not fit, {most} may{named}")


def check_unit_norms(contents: Contents) -> GateCheck:
    """Whether every vector is of length 1."""
    rows = np.flatnonzero(contents.has_vector)
    worst = 0.0
    for start in range(0, len(rows), 10_000):
        lengths = np.linalg.norm(contents.vectors.gather(rows[start : start + 10_000]), axis=1)
        # Unlike max(), this lets NaN through to the comparison, which it fails.
        worst = float(np.maximum(worst, np.abs(lengths - 1).max()))
    message = f"{len(rows)} vectors, furthest from length 1 by {worst:.1e}; {UNIT_TOLERANCE:.0e} is allowed"
    return GateCheck(name="unit-norms", passed=worst <= UNIT_TOLERANCE, message=message)


def check_finds_itself(contents: Contents, bounds: Gate) -> GateCheck:
    """A sample of items searched by their own vector: each must come back at the top, up to ties with its doubles."""
    rows = _sample(contents, SAMPLE)
    if not len(rows):
        return GateCheck(name="finds-itself", passed=True, message="no item has a vector")
    vectors = contents.vectors.gather(rows)
    _, cosines, mode = contents.vectors.search(vectors, 1, np.asarray(contents.has_vector))
    found = int((cosines[:, 0] >= (vectors**2).sum(axis=1) - UNIT_TOLERANCE).sum())
    message = f"{found} of {len(rows)} sampled items ({mode} search); at least {bounds.finds_itself:.1%} must"
    return GateCheck(name="finds-itself", passed=found >= bounds.finds_itself * len(rows), message=message)


def check_recall(contents: Contents, bounds: Gate) -> GateCheck:
    """How many of the nearest a search finds, beside a comparison with every vector; of equally near ones any will do."""
    rows = _sample(contents, QUERIES)
    if not len(rows):
        return GateCheck(name="retrieval-recall", passed=True, message="no item has a vector")
    queries, there = contents.vectors.gather(rows), np.asarray(contents.has_vector)
    found, _, mode = contents.vectors.search(queries, DEEP, there)
    _, best = nearest(contents.vectors.halves, np.flatnonzero(there).astype(np.int32), queries, found.shape[1])
    # The search's own word for how near its rows are is not taken.
    real = np.stack([contents.vectors.gather(line) @ query for line, query in zip(found, queries, strict=True)])
    recall = float((real >= best[:, -1:] - ALIKE).mean())
    least = bounds.retrieval_recall
    message = f"{recall:.4f} of the {found.shape[1]} nearest of {len(rows)} items ({mode} search); at least {least:g} must be found"
    return GateCheck(name="retrieval-recall", passed=recall >= least, message=message)


def _sample(contents: Contents, most: int) -> npt.NDArray[np.int64]:
    """At most so many rows with a vector, evenly spread."""
    rows = np.flatnonzero(contents.has_vector)
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)] if len(rows) else rows
