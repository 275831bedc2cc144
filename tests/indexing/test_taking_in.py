"""A build that is given files: their rows are in the store first, under the same lock, and it reads them there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from worlds import NOW, QUICK, films, watches

from indexing.building import Outcome, reindex
from indexing.progress import Lines
from indexing.taking_in import Files
from recommender.cli import LOCKED, run
from recommender.events import Event
from recommender.generation import Generations
from recommender.generation.writer_lock import writer_lock
from recommender.placements import Placement
from recommender.settings import Settings
from recommender.store import open_store


@pytest.fixture
def items(tmp_path: Path) -> Path:
    """Sixty films with vectors of their own."""
    rng = np.random.default_rng(3)
    rows = [
        {
            "id": film.id,
            "kind": film.kind.name,
            "title": film.title,
            "categories": list(film.categories),
            "embedding": rng.normal(size=16).tolist(),
        }
        for film in films()
    ]
    return written(tmp_path / "items.jsonl", rows)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.parquet"
    pq.write_table(pa.Table.from_pylist([row_of(event) for event in watches()]), path)
    return path


def written(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row_of(event: Event) -> dict[str, object]:
    return {"type": "watch", "user_id": event.subject.id, "item_id": event.item_id, "at": event.at, "portion": 1.0}


def stored(data: Path) -> tuple[int, int]:
    with open_store(data / "store.sqlite") as store:
        counts = store.counts()
        return counts.items_live, counts.events


def built(data: Path, files: Files, *, lines: type[Lines] = Lines, told: list[str] | None = None, **more: Any) -> Outcome:
    stream = StringIO()
    try:
        return reindex(Settings(data=data), QUICK, Placement(name="home"), lines(stream), now=NOW, files=files, **more)
    finally:
        if told is not None:
            told[:] = [str(record.get("message", record["stage"])) for record in map(json.loads, stream.getvalue().splitlines())]


def test_a_build_from_files_alone_makes_the_store_and_reads_it(
    tmp_path: Path, quick: Path, items: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, report = tmp_path / "data", tmp_path / "report.json"
    common = ["reindex", "--data", str(data), "--build", str(quick), "--json", str(report)]
    arguments = [*common, "--items", str(items), "--events", str(events)]

    assert run(arguments) == 0

    told = json.loads(report.read_text())
    assert (told["manifest"]["items"], told["manifest"]["events"]) == stored(data) == (60, 480)
    assert [imported["counts"] for imported in told["imported"]] == [
        {"created": 60, "updated": 0, "unchanged": 0, "superseded": 0},
        {"accepted": 480, "duplicates": 0},
    ]
    assert [took["name"] for took in told["stages"]][:5] == [
        "checking items.jsonl",
        "importing items.jsonl",
        "checking events.parquet",
        "importing events.parquet",
        "read",
    ]
    assert "events: 480 rows read, 480 accepted, 0 duplicates" in capsys.readouterr().out

    # The same again brings nothing, and so there is nothing to build; one event more does.
    assert run([*arguments, "--if-changed"]) == 4
    assert json.loads(report.read_text())["outcome"] == "unchanged"
    more = written(tmp_path / "more.jsonl", [{"type": "like", "user_id": "new", "item_id": "film-1", "at": NOW.isoformat()}])
    assert run([*arguments, "--events", str(more), "--if-changed"]) == 0
    assert json.loads(report.read_text())["manifest"]["events"] == 481


def test_a_refused_file_ends_a_build_before_it_builds(
    tmp_path: Path, quick: Path, items: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, report = tmp_path / "data", tmp_path / "report.json"
    arguments = ["reindex", "--data", str(data), "--build", str(quick), "--json", str(report)]
    assert run([*arguments, "--items", str(items), "--events", str(events)]) == 0
    before = Generations(data / "generations").ids()
    bad = written(tmp_path / "bad.jsonl", [{"type": "like", "user_id": "u", "item_id": "nowhere", "at": NOW.isoformat()}])
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing")

    for file, why in ((bad, "1 of 1 rows are bad"), (broken, "file: given ")):
        capsys.readouterr()
        assert run([*arguments, "--events", str(file)]) == 5
        assert f"error: {why}" in capsys.readouterr().err
        told = json.loads(report.read_text())
        assert told["outcome"] == "files refused"
        assert told["message"].startswith(why)

    assert run([*arguments, "--events", str(tmp_path / "none.parquet")]) == 2
    assert Generations(data / "generations").ids() == before
    assert stored(data) == (60, 480)


def test_nothing_is_taken_in_while_another_build_runs(tmp_path: Path, items: Path, events: Path) -> None:
    data = tmp_path / "data"
    assert built(data, Files.of([items], [])).activated

    with writer_lock(data / "generations", now=NOW):
        assert run(["reindex", "--data", str(data), "--events", str(events)]) == LOCKED

    assert stored(data) == (60, 0)


def test_a_build_that_is_gone_on_with_does_not_take_its_files_in_again(tmp_path: Path, items: Path, events: Path) -> None:
    class Killed(BaseException):
        pass

    class Breaking(Lines):
        def stage(self, name: str) -> AbstractContextManager[Any]:
            if name == "learn":
                raise Killed
            return super().stage(name)

    data, files, told = tmp_path / "data", Files.of([items], [events]), list[str]()
    whole = built(tmp_path / "whole", files)
    with pytest.raises(Killed):
        built(data, files, lines=Breaking)

    done = built(data, files, resume=True, told=told)

    assert done.imported == ()
    assert "the files are in the store: the killed build has taken them in" in told
    assert not [stage for stage in told if stage.startswith(("checking", "importing"))]
    assert done.manifest.id == whole.manifest.id
    assert done.manifest.files == whole.manifest.files

    # Other files are taken in, and the build begins anew behind them.
    with pytest.raises(Killed):
        built(data, files, lines=Breaking)
    late = row_of(watches()[0]) | {"at": (NOW - timedelta(minutes=1)).isoformat()}
    more = Files.of([items], [events, written(tmp_path / "more.jsonl", [late])])
    done = built(data, more, resume=True, told=told)
    assert done.manifest.events == 481
    assert (
        "cannot go on with a killed build: other files are given now than those that it took in, or they have changed; beginning anew"
        in told
    )
