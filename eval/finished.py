"""Two finished runs side by side, from the rows that each left: the same people, whoever fitted what and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from eval.breakdowns import LENGTHS, BreakDown, by_group, labels_of_lengths
from recommender.errors import InvalidInput
from recommender.judging import Interval, bootstrap_mean, holm, paired_difference, randomisation_test
from recommender.judging.comparison import LEADING

Values = npt.NDArray[np.float64]
Key = tuple[object, ...]

OURS, THEIRS = "this", "that"
QUERY = ("window", "person_kind", "person_id", "at")
"""What tells queries apart; equal ones by their order."""
KNOWN = (*QUERY, "segment", "variant", "history_length", "targets", "first_10")
"""Columns that are no metrics."""
SEED = 0


@dataclass(frozen=True, eq=False)
class Run:
    """One variant of a finished run: `keys` of its queries, q of them, all different; `segments`, `lengths` and `targets`, shape (q,);
    `metrics`: by name, of shape (q,), NaN where a query has none."""

    name: str
    keys: list[Key]
    segments: list[str | None]
    lengths: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    metrics: Mapping[str, Values]


@dataclass(frozen=True)
class Row:
    """One metric of both runs, over `queries` that have it in both; `p` is Holm-corrected for all metrics."""

    metric: str
    queries: int
    ours: Interval
    theirs: Interval
    difference: Interval
    p: float


@dataclass(frozen=True)
class Finished:
    """Two runs compared over what they share: `queries` of `people`, of `of_ours` and `of_theirs` queries that they have."""

    ours: str
    theirs: str
    variant: str
    people: int
    queries: int
    of_ours: int
    of_theirs: int
    rows: Sequence[Row]
    break_downs: Sequence[BreakDown]


def read_run(path: Path, variant: str) -> Run:
    """The rows of `variant` in the Parquet file that `recommender eval --parquet` wrote.

    Raises `InvalidInput` by file for one that is missing or of another kind, and a variant that it does not have.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidInput(str(path), str(error).splitlines()[0], "a Parquet file that `recommender eval --parquet` wrote") from error
    missing = [name for name in KNOWN if name not in table.column_names]
    if missing:
        raise InvalidInput(str(path), f"no column {', '.join(missing)}", "a Parquet file that `recommender eval --parquet` wrote")
    variants = table.column("variant").to_pylist()
    rows = table.filter(pa.array([name == variant for name in variants], pa.bool_()))
    if not rows.num_rows:
        raise InvalidInput("--variant", variant, f"one that {path} has: {', '.join(dict.fromkeys(variants))}")
    metrics = {name: rows.column(name).to_numpy().astype(np.float64) for name in rows.column_names if name not in KNOWN}
    numbers = (rows.column(name).to_numpy().astype(np.int64) for name in ("history_length", "targets"))
    lengths, targets = numbers
    return Run(path.name, _keys(rows), rows.column("segment").to_pylist(), lengths, targets, metrics)


def _keys(rows: pa.Table) -> list[Key]:
    seen: dict[Key, int] = {}
    keys = []
    for key in zip(*(rows.column(name).to_pylist() for name in QUERY), strict=True):
        seen[key] = seen.get(key, 0) + 1
        keys.append((*key, seen[key]))
    return keys


def compare_runs(ours: Run, theirs: Run, variant: str) -> Finished:
    """Every metric that both runs have over the queries that both have, and the leading one by history length and segment.

    Differences are paired, with p of the randomisation test, Holm-corrected for all metrics. Segments are those of `ours`, or where it
    has none those of `theirs`. Raises `InvalidInput` where the runs share no query or metric, and where they looked for other items.
    """
    place_of = {key: place for place, key in enumerate(theirs.keys)}
    pairs = [(mine, place_of[key]) for mine, key in enumerate(ours.keys) if key in place_of]
    if not pairs:
        raise InvalidInput(
            theirs.name,
            f"{len(theirs.keys)} queries, none of them one of the {len(ours.keys)} of {ours.name}",
            "a run on the same people and moments, cut in the same way (give both the same --cut or test part)",
        )
    mine, other = (np.array(places) for places in zip(*pairs, strict=True))
    unlike = int(np.count_nonzero(ours.targets[mine] != theirs.targets[other]))
    if unlike:
        allowed = f"a run that looked for as many items as {ours.name} for everybody"
        raise InvalidInput(theirs.name, f"other numbers of items to be found for {unlike} of {len(pairs)} queries", allowed)
    people = np.unique([f"{key[1]} {key[2]}" for key in (ours.keys[place] for place in mine)], return_inverse=True)[1].astype(np.uint32)
    names = [name for name in ours.metrics if name in theirs.metrics]
    values = {name: (ours.metrics[name][mine], theirs.metrics[name][other]) for name in names}
    rows = _rows(values, people)
    if not rows:
        raise InvalidInput(theirs.name, "no metric for anybody", f"a run with a metric that {ours.name} has too")
    leading = LEADING if any(row.metric == LEADING for row in rows) else rows[0].metric
    there = ~np.isnan(values[leading][0] + values[leading][1])
    both = {side: column[there] for side, column in zip((OURS, THEIRS), values[leading], strict=True)}
    unit = "people" if len(np.unique(people)) == len(people) else "queries"
    labels = labels_of_lengths(ours.lengths[mine])[there]
    broken = [by_group("history length", leading, unit, labels, people[there], both, SEED, list(LENGTHS))]
    segments = [ours.segments[a] or theirs.segments[b] for a, b in pairs]
    if any(segments):
        named = np.array([segment or "no segment" for segment in segments])[there]
        broken.append(by_group("segment", leading, unit, named, people[there], both, SEED))
    return Finished(ours.name, theirs.name, variant, len(np.unique(people)), len(pairs), len(ours.keys), len(theirs.keys), rows, broken)


def _rows(values: Mapping[str, tuple[Values, Values]], people: npt.NDArray[np.uint32]) -> list[Row]:
    made: list[Row] = []
    for name, (ours, theirs) in values.items():
        both = ~np.isnan(ours + theirs)
        if not both.any():
            continue
        a, b, whose = ours[both], theirs[both], people[both]
        mean_a, mean_b = (bootstrap_mean(each, np.random.default_rng(SEED), people=whose) for each in (a, b))
        difference = paired_difference(a, b, np.random.default_rng(SEED), people=whose)
        chance = randomisation_test(a, b, np.random.default_rng(SEED), people=whose)
        made.append(Row(name, len(a), mean_a, mean_b, difference, chance))
    corrected = holm([row.p for row in made]).tolist()
    return [replace(row, p=p) for row, p in zip(made, corrected, strict=True)]
