"""Recall and processor time of the search over a set of vectors, beside exact search of the vectors as they were before indexing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.search.filters import Mask, filters
from eval.search.vector_sets import SETS, VectorSet
from recommender.items import Item, ItemKind, ItemState
from recommender.judging import bootstrap_mean
from recommender.profile import BuildSettings
from recommender.recall import cosines_with, drawn_queries, recalls, thresholds
from recommender.segments import Base, Delta, SegmentedIndex, Segments
from recommender.vectors import VectorIndex

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Search = Callable[[Floats, int], tuple[npt.NDArray[np.integer], Floats, str]]

SIZES = (100, 500)
DELTA_SHARES = (0.01, 0.05)
DELTA_SEGMENTS = (1, 16, 64)
TIMES = 3


@dataclass(frozen=True)
class Plan:
    """`rows` vectors of `dimension` numbers, searched for `queries` queries; everything is drawn with `seed`."""

    rows: int
    dimension: int
    queries: int
    seed: int


def measure(plan: Plan, names: Sequence[str], work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """All figures of the sets `names`, as JSON holds them. Index files and segments lie in the existing folder `work` meanwhile."""
    return {name: _of_set(name, plan, work / name, say) for name in names}


def worst(found: dict[str, Any]) -> dict[str, float]:
    """The lowest recall of all lines of all sets, as `measure` gives them, at each of `SIZES`."""
    lines = [line for of_set in found.values() for line in (*of_set["filters"], *of_set["deltas"])]
    return {f"recall@{k}": min(float(line[f"@{k}"]["recall"]) for line in lines) for k in SIZES}


def _of_set(name: str, plan: Plan, work: Path, say: Callable[[str], None]) -> dict[str, Any]:
    work.mkdir()
    say(f"{name}: drawing {plan.rows:,} vectors")
    drawn = SETS[name](plan.rows, plan.dimension, plan.seed)
    say(f"{name}: building the index")
    started = time.process_time()
    built = VectorIndex.build(drawn.vectors, exact_limit=BuildSettings().content.exact_limit, seed=plan.seed)
    seconds = time.process_time() - started
    folder = work / "index"
    folder.mkdir()
    built.write(folder)
    del built
    # As it is served: mapped into memory.
    index = VectorIndex.read(folder)
    rng = np.random.default_rng([plan.seed, 1])
    queries = drawn_queries(drawn.vectors, np.arange(plan.rows, dtype=np.int32), plan.queries, rng)
    cosines = cosines_with(drawn.vectors, queries)
    lines = []
    for label, allowed in filters(drawn, cosines, rng):
        say(f"{name}: filter {label}")
        lines.append(
            {"filter": label, "allowed": int(allowed.sum()), **_lines([_of_base(index, allowed)], queries, cosines, allowed, plan)[0]}
        )
    figures: dict[str, Any] = {
        "build seconds": seconds,
        "index bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "factor": index.factor,
        "float32 scan ms": _float32_scan(drawn.vectors, queries[:10]),
        "filters": lines,
    }
    figures["deltas"] = [line for share in DELTA_SHARES for line in _deltas(index, drawn, queries, cosines, plan, share, work, say)]
    shutil.rmtree(folder)
    return figures


def _of_base(index: VectorIndex, allowed: Mask) -> Search:
    return lambda queries, k: index.search(queries, k, allowed)


def _lines(searches: Sequence[Search], queries: Floats, cosines: Floats, allowed: Mask, plan: Plan) -> list[dict[str, Any]]:
    """For each search and each of `SIZES`, recall with its 95 % interval over queries, and the median of queries' processor time.

    Searches take turns with every query, so that what else the machine does concerns them alike; of `TIMES` a query the quickest counts.
    """
    lines: list[dict[str, Any]] = [{} for _ in searches]
    for k in SIZES:
        found: list[list[npt.NDArray[np.integer]]] = [[] for _ in searches]
        spent: list[list[float]] = [[] for _ in searches]
        modes = [""] * len(searches)
        for query in range(len(queries)):
            taken = np.empty((TIMES, len(searches)))
            for time_of, place in np.ndindex(taken.shape):
                started = time.process_time()
                rows, _, modes[place] = searches[place](queries[query : query + 1], k)
                taken[time_of, place] = time.process_time() - started
                if time_of == 0:
                    found[place].append(rows[0])
            for place, quickest in enumerate(taken.min(axis=0).tolist()):
                spent[place].append(quickest)
        kth = thresholds(cosines, allowed, k)
        for place, line in enumerate(lines):
            each = recalls(cosines, kth, np.stack(found[place]).astype(np.int32))
            mean = bootstrap_mean(each, np.random.default_rng(plan.seed))
            line[f"@{k}"] = {
                "recall": mean.mean,
                "low": mean.low,
                "high": mean.high,
                "ms": 1e3 * median(spent[place]),
                "mode": modes[place],
            }
    return lines


def _float32_scan(vectors: Floats, queries: Floats) -> float:
    """Milliseconds of comparing one query with all vectors and taking the best 500, in plain NumPy."""
    spent = []
    for query in queries:
        started = time.process_time()
        np.argpartition(-(vectors @ query), min(500, len(vectors) - 1))
        spent.append(time.process_time() - started)
    return 1e3 * median(spent)


def _deltas(
    index: VectorIndex,
    drawn: VectorSet,
    queries: Floats,
    cosines: Floats,
    plan: Plan,
    share: float,
    work: Path,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """A share of the rows changed or new, half and half, in one segment and in many: the same changes, in the same order."""
    n, count = plan.rows, max(max(DELTA_SEGMENTS), round(share * plan.rows))
    rng = np.random.default_rng([plan.seed, 2, count])
    changed = rng.choice(n, count // 2, replace=False)
    numbers = np.concatenate([changed, np.arange(n, n + count - len(changed))])[rng.permutation(count)]
    # They lie where vectors lie: each is near one that there is.
    near = drawn.vectors[rng.integers(0, n, count)]
    vectors = near + rng.standard_normal(near.shape, dtype=np.float32) * np.float32(0.3 / np.sqrt(plan.dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    items = [(int(number), ItemState.LIVE, Item(id=f"i{number}", kind=ItemKind.ARTICLE, title=f"Item {number}")) for number in numbers]
    now = np.concatenate([cosines, np.zeros((len(queries), count - len(changed)), dtype=np.float32)], axis=1)
    now[:, numbers] = queries @ vectors.T
    everything, base = np.ones(now.shape[1], dtype=np.bool_), np.ones(n, dtype=np.bool_)
    lines, searches = [], []
    for parts in DELTA_SEGMENTS:
        say(f"{work.name}: {count:,} items in {parts} delta segments")
        segments = Segments(work / "deltas", Base(generation=f"{count}-{parts}", embedder="drawn", dimension=plan.dimension))
        bounds = np.linspace(0, count, parts + 1).astype(int)
        for change, (start, end) in enumerate(pairwise(bounds), start=1):
            segments.add(Delta.of(items[start:end], vectors[start:end], dimension=plan.dimension), change, change)
        started = time.process_time()
        searches.append(_over(SegmentedIndex(index, np.arange(n, dtype=np.uint32), segments.load().delta(plan.dimension)), base))
        load = time.process_time() - started
        lines.append({"changed": share, "items": count, "segments": parts, "load ms": 1e3 * load})
    for line, figures in zip(lines, _lines(searches, queries, now, everything, plan), strict=True):
        line.update(figures)
    return lines


def _over(index: SegmentedIndex, allowed: Mask) -> Search:
    new = np.ones(len(index.delta.numbers), dtype=np.bool_)
    return lambda queries, k: index.search(queries, k, allowed, new)
