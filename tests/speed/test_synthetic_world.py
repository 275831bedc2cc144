"""Synthetic worlds: the same every time, of the shape that was asked for, and fit for the ordinary commands."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from eval.world import Shape, write_world
from eval.world.catalogue import Catalogue, vectors
from eval.world.command import world
from eval.world.files import write_deltas
from eval.world.history import History
from indexing.progress import Lines
from recommender.cli import run
from recommender.errors import InvalidInput
from recommender.store import open_store

SMALL = Shape(items=2_000, users=500, events=10_000, dimension=32)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(SMALL, folder, Lines(io.StringIO()))
    return folder


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.drawn(SMALL)


@pytest.fixture(scope="module")
def history(catalogue: Catalogue) -> History:
    return History.drawn(catalogue)


def test_the_same_options_make_the_same_files(written: Path, tmp_path: Path) -> None:
    write_world(SMALL, tmp_path, Lines(io.StringIO()))

    for name in ("items.parquet", "events.parquet", "world.json"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_a_world_of_texts_brings_words_for_a_model_and_no_vectors(written: Path, tmp_path: Path) -> None:
    write_world(replace(SMALL, words=40), tmp_path, Lines(io.StringIO()))

    texts, vectors_too = pq.read_table(tmp_path / "items.parquet"), pq.read_table(written / "items.parquet")
    assert "embedding" in vectors_too.column_names
    assert "embedding" not in texts.column_names
    assert {len(text.split()) for text in texts.column("text").to_pylist()} == {40}
    assert (tmp_path / "events.parquet").read_bytes() == (written / "events.parquet").read_bytes()
    with pytest.raises(InvalidInput, match="words: given 1001"):
        replace(SMALL, words=1_001)


def test_another_seed_makes_another_world(written: Path, tmp_path: Path) -> None:
    write_world(Shape(items=2_000, users=500, events=10_000, dimension=32, seed=2), tmp_path, Lines(io.StringIO()))

    assert (tmp_path / "events.parquet").read_bytes() != (written / "events.parquet").read_bytes()


def test_a_folder_that_holds_the_world_is_left_as_it_is_and_another_one_refused(written: Path) -> None:
    before = (written / "items.parquet").stat().st_mtime_ns
    assert write_world(SMALL, written, Lines(io.StringIO())).people <= 500
    assert (written / "items.parquet").stat().st_mtime_ns == before
    with pytest.raises(InvalidInput, match="with the same world"):
        write_world(Shape(items=3_000, users=500, events=10_000), written, Lines(io.StringIO()))


def test_files_without_their_world_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "items.parquet").write_text("precious")
    with pytest.raises(InvalidInput, match=r"it holds items\.parquet"):
        write_world(SMALL, tmp_path, Lines(io.StringIO()))
    assert (tmp_path / "items.parquet").read_text() == "precious"


def test_sizes_are_those_asked_for(written: Path, history: History) -> None:
    assert pq.read_metadata(written / "items.parquet").num_rows == 2_000
    assert pq.read_metadata(written / "events.parquet").num_rows == 10_000
    assert history.user.max() < 500
    assert history.item.max() < 2_000


def test_events_are_in_order_and_none_comes_before_its_item_was_published(catalogue: Catalogue, history: History) -> None:
    assert (np.diff(history.at) >= 0).all()
    assert history.at[0] >= SMALL.start.timestamp() * 1e6
    assert history.at[-1] <= SMALL.end.timestamp() * 1e6
    assert (history.at >= catalogue.published[history.item]).mean() == 1


def test_a_tenth_of_the_items_draws_most_of_the_events(history: History) -> None:
    counts = np.sort(np.bincount(history.item, minlength=2_000))[::-1]
    assert counts[:200].sum() > 0.4 * counts.sum()


def test_people_look_at_few_topics_of_many(catalogue: Catalogue, history: History) -> None:
    """Two events of one person are of one topic more often than two of anybody."""
    topic = catalogue.topic[history.item]

    def agreeing(chosen: np.ndarray) -> float:
        shares = np.bincount(topic[chosen]) / chosen.sum()
        return float((shares**2).sum())

    busy = np.flatnonzero(np.bincount(history.user) >= 40)
    assert np.mean([agreeing(history.user == user) for user in busy]) > 1.5 * agreeing(np.full(len(topic), True))


def test_interests_drift(catalogue: Catalogue, history: History) -> None:
    """Early topics of a person are likelier in the days after than in the last ones."""
    topic, at = catalogue.topic[history.item], (history.at - history.at[0]) / (history.at[-1] - history.at[0])

    def kept(low: float, high: float) -> float:
        shares = []
        for user in np.flatnonzero(np.bincount(history.user) >= 30):
            mine = history.user == user
            first, later = topic[mine & (at < 0.35)], topic[mine & (at >= low) & (at < high)]
            if len(first) and len(later):
                shares.append(np.isin(later, first).mean())
        return float(np.mean(shares))

    assert kept(0.35, 0.55) > kept(0.8, 1.0)


def test_vectors_of_one_topic_are_alike_and_those_of_one_category_a_little(catalogue: Catalogue) -> None:
    made = np.concatenate(list(vectors(catalogue, part=512)))
    cosines = made @ made.T
    same_topic = catalogue.topic[:, None] == catalogue.topic
    same_category = (catalogue.category[:, None] == catalogue.category) & ~same_topic
    np.fill_diagonal(same_topic, False)
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    assert cosines[same_topic].mean() == pytest.approx(0.5, abs=0.1)
    assert cosines[same_category].mean() == pytest.approx(0.22, abs=0.1)


def test_news_age_faster_than_films(catalogue: Catalogue, history: History) -> None:
    age = (history.at - catalogue.published[history.item]) / 8.64e10
    median = [np.median(age[catalogue.kind[history.item] == kind]) for kind in range(3)]
    assert median[0] < median[1] < median[2]


def test_the_ordinary_import_takes_every_row(written: Path, tmp_path: Path) -> None:
    assert run(["import", "items", str(written / "items.parquet"), "--data", str(tmp_path), "--max-rejects", "0"]) == 0
    assert run(["import", "events", str(written / "events.parquet"), "--data", str(tmp_path), "--max-rejects", "0"]) == 0

    with open_store(tmp_path / "store.sqlite") as store:
        assert store.counts().events == 10_000


@pytest.mark.parametrize("option", ["--items", "--users", "--events", "--days", "--dimension"])
def test_a_world_that_could_not_be_drawn_is_refused_by_name(option: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(world, [str(tmp_path / "w"), option, "1"])
    assert isinstance(result.exception, InvalidInput)
    assert result.exception.field == option[2:]
    assert not (tmp_path / "w").exists()


def test_the_command_says_what_to_run_next(tmp_path: Path) -> None:
    result = CliRunner().invoke(world, [str(tmp_path), "--items", "200", "--users", "20", "--events", "300", "--dimension", "8"])
    assert result.exit_code == 0
    assert f"recommender import events {tmp_path / 'events.parquet'}" in result.stdout


def test_deltas_bring_new_items_and_change_old_ones_and_do_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    folders = [tmp_path / "few", tmp_path / "many"]
    for folder, count in zip(folders, (2, 3), strict=True):
        world = write_world(SMALL, folder, Lines(io.StringIO()))
        write_deltas(world, count, 50, Lines(io.StringIO()))
    names = [path.name for path in sorted((folders[1] / "deltas").iterdir())]
    assert names == ["50-00001.parquet", "50-00002.parquet", "50-00003.parquet"]
    for name in names[:2]:
        assert (folders[0] / "deltas" / name).read_bytes() == (folders[1] / "deltas" / name).read_bytes()
    before = set(pq.read_table(folders[1] / "items.parquet").column("id").to_pylist())
    parts = [pq.read_table(folders[1] / "deltas" / name) for name in names]
    seen: set[str] = set()
    for part in parts:
        ids = part.column("id").to_pylist()
        assert len(set(ids)) == 50
        assert len(before & set(ids)) == 10
        assert not (set(ids) - before) & seen
        seen |= set(ids) - before
    np.testing.assert_allclose(np.linalg.norm(parts[0].column("embedding").to_pylist(), axis=1), 1, atol=1e-5)


def test_items_of_a_delta_are_about_what_they_were_about(written: Path, tmp_path: Path) -> None:
    world = write_world(SMALL, tmp_path, Lines(io.StringIO()))
    (path,) = write_deltas(world, 1, 100, Lines(io.StringIO()))
    before = {row["id"]: row for row in pq.read_table(written / "items.parquet").to_pylist()}
    changed = [row for row in pq.read_table(path).to_pylist() if row["id"] in before]
    for row in changed:
        old = before[row["id"]]
        assert (row["tags"], row["published_at"], row["author"]) == (old["tags"], old["published_at"], old["author"])
        assert row["embedding"] != old["embedding"]
    assert np.mean([np.dot(row["embedding"], before[row["id"]]["embedding"]) for row in changed]) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(("option", "value"), [("--deltas", "-1"), ("--delta-items", "0"), ("--delta-items", "201")])
def test_deltas_that_could_not_be_drawn_are_refused_by_name(option: str, value: str, tmp_path: Path) -> None:
    options = ["--items", "200", "--users", "20", "--events", "300", "--dimension", "8", "--deltas", "1", option, value]
    result = CliRunner().invoke(world, [str(tmp_path), *options])
    assert isinstance(result.exception, InvalidInput)
    assert result.exception.field == option[2:]


def test_the_ordinary_import_takes_deltas(tmp_path: Path) -> None:
    options = ["--items", "200", "--users", "20", "--events", "300", "--dimension", "8", "--deltas", "2", "--delta-items", "20"]
    result = CliRunner().invoke(world, [str(tmp_path / "world"), *options])
    assert f"recommender import items {tmp_path / 'world' / 'deltas' / '20-00001.parquet'}, and 1 more such files" in result.stdout
    for path in (tmp_path / "world" / "items.parquet", *sorted((tmp_path / "world" / "deltas").iterdir())):
        assert run(["import", "items", str(path), "--data", str(tmp_path / "data"), "--max-rejects", "0"]) == 0
    with open_store(tmp_path / "data" / "store.sqlite") as store:
        assert store.counts().items_live == 232
