"""Break-downs: for whom, and for which items, it works.

By person: mean of a metric over the queries of a group. By target: every item that somebody took up, whether it stood in the first 20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eval.evaluation import OTHER, Evaluation
from recommender.columns import StringColumn
from recommender.generation.catalogue import Catalogue
from recommender.judging import HeldOut, Interval, Judgement, bootstrap_mean
from recommender.judging.comparison import LEADING
from recommender.judging.replay import BLEND
from recommender.times import DAY_US, MISSING_TIME

LENGTHS = {"0": (0, 0), "1": (1, 1), "2–5": (2, 5), "6–20": (6, 20), "21+": (21, 10**9)}
"""Lengths of history in events, both ends included."""
AGES = {"under a day": 1.0, "1–7 days": 7.0, "7–30 days": 30.0, "30–365 days": 365.0, "a year or more": float("inf")}
"""Ages of items in days when they were asked for, below the bound and not below the one before."""
SHOWN = 20
"""A target counts as found when it stands among so many."""
MOST = 12
"""Groups shown at the most; the smallest ones beyond that are put together."""
FEWEST = 5
"""Groups of fewer people have no means: resampling so few says nothing of how sure they are, and a mean of one is that person's own."""
CURVE = 20
"""The curve by length of history goes up to so many events."""

REST = "all others"
UNDATED = "no date"
LATER = "published later"
ABSENT = "not in the catalogue"
NONE = "none given"

Labels = npt.NDArray[np.str_]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """`count`: in the break-down's unit, of `people` people. `means`: by variant, empty for fewer than 5 people."""

    name: str
    count: int
    people: int
    means: Mapping[str, Interval]


@dataclass(frozen=True)
class BreakDown:
    """`metric` of the blend, the best single variant and, where there is one, the rival's blend by group. `unit`: what is counted,
    "people", "queries" where one person may stand for several, or "items" that somebody took up. `variants`: whose means there are."""

    by: str
    metric: str
    unit: str
    variants: tuple[str, ...]
    groups: Sequence[Group]


def break_downs(evaluation: Evaluation) -> list[BreakDown]:
    """All break-downs that the data has something to say for: one with a single group is left out, apart from history length."""
    comparison, seed = evaluation.comparison, evaluation.build.seed
    held_out = comparison.held_out
    variants = {name: comparison.judgements[name] for name in (BLEND, comparison.best_part)}
    if evaluation.compared is not None:
        variants[OTHER] = evaluation.compared.judgements[OTHER]
    per_query = {name: judgement.values[LEADING] for name, judgement in variants.items()}
    unit = unit_of(held_out)
    found = [by_group("history length", LEADING, unit, length_labels(held_out), held_out.people, per_query, seed, list(LENGTHS))]
    if evaluation.segments:
        segments = np.array([evaluation.segments.get(int(person), "no segment") for person in held_out.people])
        found.append(by_group("segment", LEADING, unit, segments, held_out.people, per_query, seed))
    rows, owners = target_rows(evaluation.material.catalogue, held_out)
    hits = {name: target_hits(judgement, rows, owners) for name, judgement in variants.items()}
    catalogue, metric, asker = evaluation.material.catalogue, f"recall@{SHOWN}", held_out.people[owners]
    for by, labels, order in (
        ("item age", age_labels(catalogue, held_out, rows, owners), [*AGES, LATER, UNDATED]),
        ("item popularity", popularity_labels(evaluation, rows, owners), list(POPULARITY)),
        ("kind", column_labels(catalogue, "kind", rows), []),
        ("language", column_labels(catalogue, "language", rows), []),
    ):
        broken = by_group(by, metric, "items", labels, asker, hits, seed, order)
        if len(broken.groups) > 1:
            found.append(broken)
    return found


def length_curve(evaluation: Evaluation) -> BreakDown:
    """The leading metric of the blend and the best single variant by exact length of the history, 0 to 20, but for lengths of nobody."""
    comparison = evaluation.comparison
    held_out = comparison.held_out
    lengths = np.array([len(history) for history in held_out.histories])
    short = lengths <= CURVE
    values = {name: comparison.judgements[name].values[LEADING][short] for name in (BLEND, comparison.best_part)}
    labels, order = lengths[short].astype(str), [str(length) for length in range(CURVE + 1)]
    return by_group(
        "events in the history", LEADING, unit_of(held_out), labels, held_out.people[short], values, evaluation.build.seed, order
    )


def unit_of(held_out: HeldOut) -> str:
    """What the queries are called: "people" where each stands for one person."""
    return "people" if len(np.unique(held_out.people)) == len(held_out) else "queries"


def length_labels(held_out: HeldOut) -> Labels:
    """Which of `LENGTHS` each query's history has, shape (q,)."""
    return labels_of_lengths(np.array([len(history) for history in held_out.histories]))


def labels_of_lengths(lengths: npt.NDArray[np.integer]) -> Labels:
    """Which of `LENGTHS` each length in events is, shape as `lengths`."""
    ends = [longest for _, longest in LENGTHS.values()]
    return np.array(list(LENGTHS))[np.searchsorted(ends, lengths)]


def target_rows(catalogue: Catalogue, held_out: HeldOut) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Catalogue row (-1 for an item that is not in it) and query of every target, both of shape (t,)."""
    owners = np.repeat(np.arange(len(held_out)), [len(targets) for targets in held_out.targets])
    return catalogue.rows_of(np.concatenate(held_out.targets)), owners


def target_hits(judgement: Judgement, rows: npt.NDArray[np.int32], owners: npt.NDArray[np.int64]) -> Values:
    """1 where a target stands among the first 20 of its query's list, else 0, shape (t,)."""
    found = (judgement.lists[owners, :SHOWN] == rows[:, None]).any(axis=1)
    # Short lists end in -1 as well, which is no item.
    hits: Values = np.asarray(found & (rows >= 0), dtype=np.float64)
    return hits


def age_labels(catalogue: Catalogue, held_out: HeldOut, rows: npt.NDArray[np.int32], owners: npt.NDArray[np.int64]) -> Labels:
    """Which of `AGES` each target has at its query's "now", shape (t,); "no date" and "published later" stand beside them."""
    now = np.full(len(held_out), held_out.cut, dtype=np.int64) if held_out.moments is None else held_out.moments
    published = np.where(rows >= 0, catalogue.published_at[rows], MISSING_TIME) if catalogue.n else np.full(len(rows), MISSING_TIME)
    dated = published != MISSING_TIME
    age = np.where(dated, now[owners] - np.where(dated, published, 0), 0) / DAY_US
    labels = np.array(list(AGES))[np.searchsorted(list(AGES.values()), age, side="right").clip(0, len(AGES) - 1)]
    return np.where(dated, np.where(age < 0, LATER, labels), UNDATED)


POPULARITY = ("head", "torso", "tail", "never seen")
"""By how many training events an item has: the most popular items that together have the first third of all, those with the second,
those with the last, and items without any."""


def popularity_labels(evaluation: Evaluation, rows: npt.NDArray[np.int32], owners: npt.NDArray[np.int64]) -> Labels:
    """Which of `POPULARITY` each target is in the training part of its own window, shape (t,)."""
    labels = np.empty(len(rows), dtype="<U20")
    window = evaluation.window_of[owners]
    for place, judged in enumerate(evaluation.windows):
        here = window == place
        classes = popularity_classes(judged.training_counts)
        labels[here] = np.where(rows[here] >= 0, classes[rows[here]], POPULARITY[3])
    return labels


def popularity_classes(counts: npt.NDArray[np.int64]) -> Labels:
    """The class, one of `POPULARITY`, of each item by its number of events, shape (n,): by the share of all events that items of more
    events have; of equally many events the item with the lower row comes first."""
    order = np.argsort(-counts, kind="stable")
    before = np.empty(len(counts), dtype=np.int64)
    before[order] = np.cumsum(counts[order]) - counts[order]
    place = 3 * before // max(int(counts.sum()), 1)
    return np.where(counts > 0, np.array(POPULARITY[:3])[place.clip(0, 2)], POPULARITY[3])


def column_labels(catalogue: Catalogue, name: str, rows: npt.NDArray[np.int32]) -> Labels:
    """What the text column `name` says of each target, shape (t,)."""
    column = catalogue.column(name)
    assert isinstance(column, StringColumn)
    words = np.array([*column.values, NONE], dtype=np.str_)
    return np.where(rows >= 0, words[column.codes[rows]], ABSENT)


def by_group(
    by: str,
    metric: str,
    unit: str,
    labels: Labels,
    people: npt.NDArray[np.uint32],
    values: Mapping[str, Values],
    seed: int,
    order: Sequence[str] = (),
) -> BreakDown:
    """The means of `values`, by variant of shape (q,), by `labels` and over `people`, of the same shape.

    Groups in the given `order`, others after them by size; intervals resample whole people.
    """
    names, counts = np.unique(labels, return_counts=True)
    by_size = [str(name) for name in names[np.argsort(-counts, kind="stable")]]
    if not order and len(by_size) > MOST:
        labels = np.where(np.isin(labels, by_size[: MOST - 1]), labels, REST)
        by_size = [*(name for name in by_size[: MOST - 1] if name != REST), REST]
    groups = []
    for name in [*(name for name in order if name in by_size), *(name for name in by_size if name not in order)]:
        here = labels == name
        asked = len(np.unique(people[here]))
        means = {
            variant: bootstrap_mean(column[here], np.random.default_rng(seed), people=people[here])
            for variant, column in values.items()
            if asked >= FEWEST
        }
        groups.append(Group(name, int(here.sum()), asked, means))
    return BreakDown(by, metric, unit, tuple(values), groups)
