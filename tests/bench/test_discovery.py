"""Sets are found by the shape of their files, and what is known of them by their names."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from tiny_sets import movielens, rounds, two_tastes

from eval.bench.discovery import Found, discover
from eval.bench.measures import Kind
from eval.bench.published import KNOWN, USUAL, plain
from recommender.errors import InvalidInput


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    return folder


def everything(data: Path) -> Path:
    """Empty or tiny files in the layout of the usual folder of sets, and others beside them."""
    two_tastes(data / "gowalla")
    touch(data / "gowalla", "item_list.txt")
    two_tastes(data / "Yelp2018")
    for name in ("Beauty", "Toys_and_Games", "Beauty_sample", "games"):
        rounds(data / "s3rec" / f"{name}.txt")
    touch(data / "s3rec", "README.txt", "Beauty_item2attributes.json")
    touch(data / "citeulike-a", "titles.txt", "item-tag.dat", "tags.dat", "cold-start/dropoutnet/train.csv", "cold-start/heater/train.csv")
    touch(data / "ml-latest-small", "ratings.csv", "movies.csv", "README.txt")
    touch(data / "ml-100k", "u.data", "u.item")
    touch(data / "mind-sample", "behaviors.tsv")
    touch(data / "MINDsmall_train", "behaviors.tsv")
    touch(data / "MINDsmall_dev", "behaviors.tsv")
    touch(data / "obd", "item_context.csv", "random_all.csv", "bts_all.csv", "random_men.csv", "bts_men.csv", "random_women.csv")
    touch(data / "coat", "train.ascii", "test.ascii")
    return data


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return discover(everything(tmp_path_factory.mktemp("data")))


def test_each_folder_and_file_is_told_by_its_shape(found: Found) -> None:
    known = [
        "gowalla",
        "yelp2018",
        "beauty",
        "toys",
        "citeulike-title",
        "citeulike-tags",
        "ml-latest-small",
        "ml-cold",
        "mind",
        "mind-small",
    ]
    assert [one.name for one in found.benchmarks] == [*known, "games", "ml-100k", "ml-100k-cold"]
    assert [one.name for one in found.bandits] == ["obd", "obd-men"]
    assert found.skipped == ("coat: skipped, it holds none of the formats that are judged here",)


def test_a_set_of_a_known_name_stands_beside_what_is_published_and_wanted(found: Found) -> None:
    by_name = {one.name: one for one in found.benchmarks}
    recall, ndcg, seconds, memory = by_name["gowalla"].measures
    assert (recall.published, recall.must, recall.aim, ndcg.published) == (0.1920, 0.193, 0.1985, 0.1617)
    assert (seconds.kind, seconds.must, memory.kind, memory.aim) == (Kind.SECONDS, 300, Kind.GIGABYTES, 2)
    assert [measure.published for measure in by_name["yelp2018"].measures] == [0.0720, 0.0593]
    assert "LightGCN .0649/.0530" in by_name["yelp2018"].source
    assert by_name["mind-small"].measures[0].published == 0.688
    assert [measure.kind for measure in by_name["ml-latest-small"].measures] == [Kind.MEAN, Kind.LEAD]
    assert all(measure.must is measure.published is None for measure in by_name["ml-100k-cold"].measures)


def test_every_known_set_has_its_sources_and_bounds_in_order() -> None:
    for (format, name), one in KNOWN.items():
        assert plain(name) == name
        assert {(m.metric, m.kind) for m in USUAL[format]} <= {(m.metric, m.kind) for m in one.measures}
        assert bool(one.source) == any(measure.published for measure in one.measures)
        for measure in one.measures:
            if measure.must is not None and measure.aim is not None:
                assert measure.aim < measure.must if measure.kind.is_cost else measure.aim > measure.must


def test_sets_are_picked_by_any_of_their_names(found: Found) -> None:
    chosen = found.chosen(["Gowalla", "Toys_and_Games", "obd", "ml-latest-small-cold"])
    assert chosen.names == ["gowalla", "toys", "ml-cold", "obd"]
    assert found.chosen([]) is found
    with pytest.raises(InvalidInput, match=r"given 'yelp', allowed: what was found: gowalla, yelp2018, .*obd-men"):
        found.chosen(["gowalla", "yelp"])


def test_what_is_measured_can_be_sent_to_another_process(found: Found) -> None:
    for one in found.benchmarks:
        assert pickle.loads(pickle.dumps(one)).protocol == one.protocol


def test_the_folder_itself_may_be_a_set(tmp_path: Path) -> None:
    assert [one.name for one in discover(two_tastes(tmp_path / "amazon-book")).benchmarks] == ["amazon-book"]
    assert [one.name for one in discover(movielens(tmp_path / "ml-1m")).benchmarks] == ["ml-1m", "ml-1m-cold"]
    touch(tmp_path / "mine", "train/behaviors.tsv", "dev/behaviors.tsv", "test/nothing")
    assert [one.name for one in discover(tmp_path / "mine").benchmarks] == ["mine"]
    rounds(tmp_path / "logs" / "Sports_and_Outdoors.txt")
    two_tastes(tmp_path / "logs" / "inner")
    assert [one.name for one in discover(tmp_path / "logs").benchmarks] == ["sports", "inner"]
    assert [one.name for one in discover(touch(tmp_path / "obd", "item_context.csv", "random_all.csv", "bts_all.csv")).bandits] == ["obd"]


def test_sets_of_one_name_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        rounds(tmp_path / folder / "Beauty.txt")
    assert [one.name for one in discover(tmp_path).benchmarks] == ["a/beauty", "b/beauty"]


def test_the_cut_of_citeulike_that_is_there_is_taken(tmp_path: Path) -> None:
    touch(tmp_path / "citeulike-a", "titles.txt", "cold-start/heater/train.csv")
    [one] = discover(tmp_path).benchmarks
    assert (one.name, one.source) == ("citeulike-a-title", "")
    assert "Heater's cut" in one.protocol


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_a_folder_without_sets_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(InvalidInput, match="a folder that"):
        discover(tmp_path / name)
