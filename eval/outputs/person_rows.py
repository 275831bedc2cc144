"""One row a judged person and variant as Parquet, for whoever wants to look closer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eval.datasets.whole_file import whole_file
from eval.evaluation import OTHER, Evaluation
from recommender.judging import Judgement
from recommender.judging.replay import BLEND

FIRST = 10


def write_person_rows(evaluation: Evaluation, path: Path) -> None:
    """Write the rows, whole or not at all.

    Columns: `window`, `person_kind` ("user" or "session"), `person_id`, `at` (the moment that was asked about), `segment` (null for
    nobody's), `variant`, `history_length` (events), `targets` (items taken up), each metric by its name (null where a person has none),
    `first_10` (item ids, best first). The rival's blend is the variant "other".
    """
    parts = list(_tables(evaluation))
    with whole_file(path) as part:
        pq.write_table(pa.concat_tables(parts, promote_options="default"), part)


def _tables(evaluation: Evaluation) -> Iterator[pa.Table]:
    held_out, material = evaluation.comparison.held_out, evaluation.material
    judged: dict[str, Judgement] = dict(evaluation.comparison.judgements)
    if evaluation.compared is not None:
        judged[OTHER] = evaluation.compared.judgements[OTHER]
    if evaluation.ablation is not None:
        judged |= {f"without {name}": each for name, each in evaluation.ablation.judgements.items() if name != BLEND}
    subjects = [material.people[int(person)] for person in held_out.people]
    windows = np.array([window.name for window in evaluation.windows])[evaluation.window_of]
    # Windows have moments of their own, also where their queries have none.
    cuts = np.array([window.held_out.cut for window in evaluation.windows])[evaluation.window_of]
    moments = cuts if held_out.moments is None else held_out.moments
    shared = {
        "window": pa.array(windows.tolist(), pa.string()),
        "person_kind": pa.array([subject.kind.name.lower() for subject in subjects], pa.string()),
        "person_id": pa.array([subject.id for subject in subjects], pa.string()),
        "at": pa.array(moments, pa.timestamp("us", "UTC")),
        "segment": pa.array([evaluation.segments.get(int(person)) for person in held_out.people], pa.string()),
    }
    numbers = {
        "history_length": pa.array([len(history) for history in held_out.histories], pa.int32()),
        "targets": pa.array([len(targets) for targets in held_out.targets], pa.int32()),
    }
    ids = material.catalogue.table.column("id")
    for variant, judgement in judged.items():
        first = judgement.lists[:, :FIRST]
        there = first >= 0
        offsets = pa.array(np.append(0, np.cumsum(there.sum(axis=1))), pa.int32())
        shown = ids.take(pa.array(first[there])).combine_chunks() if there.any() else pa.array([], pa.string())
        metrics = {name: pa.array(values, pa.float64(), from_pandas=True) for name, values in judgement.values.items()}
        named = pa.array([variant] * len(subjects), pa.string())
        yield pa.table({**shared, "variant": named, **numbers, **metrics, "first_10": pa.ListArray.from_arrays(offsets, shown)})
