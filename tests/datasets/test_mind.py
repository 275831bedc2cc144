"""MIND: impressions in order of time, histories before them, and news that may have no text."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from event_rows import rows_of

from eval.datasets.dataset import SECOND_US
from eval.datasets.impressions import Impressions
from eval.datasets.mind import read_mind, read_mind_parts
from recommender.errors import InvalidInput
from recommender.items import ItemKind
from recommender.order import Order
from recommender.times import to_micros

BEHAVIOURS = (
    "1\tU2\t11/13/2019 2:00:00 PM\tN5 N1\tN3-1 N2-0\n"
    "2\tU1\t11/13/2019 9:00:00 AM\t\tN2-0 N3-0 N1-1\n"
    "3\tU2\t11/13/2019 8:00:00 AM\tN5 N1\tN4-0\n"
)
NEWS = 'N1\tnews\tpolitics\tA "title\tAn abstract\thttp://x\t[]\t[]\nN6\tsports\tsports\tNever shown\n'
NINE = to_micros(datetime(2019, 11, 13, 9, tzinfo=UTC))
HOUR = 3_600 * SECOND_US


def folder_of(tmp_path: Path, behaviours: str = BEHAVIOURS, news: str | None = NEWS) -> Path:
    (tmp_path / "behaviors.tsv").write_text(behaviours, encoding="utf-8")
    if news is not None:
        (tmp_path / "news.tsv").write_text(news, encoding="utf-8")
    return tmp_path


def test_impressions_come_in_order_of_time(tmp_path: Path) -> None:
    dataset = read_mind(folder_of(tmp_path))
    log = dataset.impressions
    assert log is not None
    assert [item.id for item in dataset.items] == ["N1", "N2", "N3", "N4", "N5", "N6"]
    assert dataset.people_ids == ["U1", "U2"]
    assert (log.person.tolist(), log.at.tolist()) == ([1, 0, 1], [NINE - HOUR, NINE, NINE + 5 * HOUR])
    assert (log.offsets.tolist(), log.item.tolist()) == ([0, 1, 4, 6], [3, 1, 2, 0, 2, 1])
    assert log.clicked.tolist() == [False, False, False, True, True, False]


def test_histories_lie_in_order_just_before_the_first_impression(tmp_path: Path) -> None:
    dataset = read_mind(folder_of(tmp_path))
    assert rows_of(dataset.events) == [(0, 0), (1, 4), (1, 0), (1, 2)]
    assert dataset.events.at.tolist() == [NINE, NINE - HOUR - 2 * SECOND_US, NINE - HOUR - SECOND_US, NINE + 5 * HOUR]
    assert dataset.order is Order.TIME


def test_news_without_a_line_have_an_id_alone(tmp_path: Path) -> None:
    items = read_mind(folder_of(tmp_path)).items
    assert (items[0].title, items[0].text, items[0].categories) == ('A "title', "An abstract", ("news", "politics"))
    assert (items[1].title, items[1].categories, items[1].kind) == ("", (), ItemKind.ARTICLE)
    assert (items[5].title, items[5].categories) == ("Never shown", ("sports",))


def test_the_file_of_news_may_be_absent(tmp_path: Path) -> None:
    dataset = read_mind(folder_of(tmp_path, news=None))
    assert [item.id for item in dataset.items] == ["N1", "N2", "N3", "N4", "N5"]


@pytest.mark.parametrize(
    ("behaviours", "where"),
    [
        ("1\tU1\t11/13/2019 9:00:00 AM\tN1-1\n", "behaviors.tsv:1: .*five fields"),
        (BEHAVIOURS + "\n", "behaviors.tsv:4: "),
        ("1\tU1\t2019-11-13 09:00\t\tN1-1\n", "behaviors.tsv:1: given '2019-11-13 09:00', .*a time such as"),
        ("1\tU1\t11/13/2019 9:00:00 AM\t\tN1 N2\n", "behaviors.tsv:1: .*have none"),
        ("1\tU1\t11/13/2019 9:00:00 AM\t\t\n", "behaviors.tsv:1: "),
        ("", "behaviors.tsv: given 'no line'"),
    ],
)
def test_bad_behaviours_are_named_by_line(tmp_path: Path, behaviours: str, where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        read_mind(folder_of(tmp_path, behaviours))


@pytest.mark.parametrize(
    ("news", "where"),
    [("N1\tnews\n", "news.tsv:1: "), (NEWS + NEWS, "news.tsv:3: given 'N1', .*one line"), ("\ta\tb\tc\n", "news.tsv:1: id: given ''")],
)
def test_bad_news_are_named_by_line(tmp_path: Path, news: str, where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        read_mind(folder_of(tmp_path, news=news))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("at", np.array([1])),
        ("at", np.array([2, 1])),
        ("clicked", np.array([True])),
        ("offsets", np.array([0, 1])),
        ("offsets", np.array([0, 0, 3])),
        ("offsets", np.array([1, 2, 3])),
    ],
)
def test_impressions_that_do_not_fit_together_are_refused(field: str, values: np.ndarray) -> None:
    sound = {
        "person": np.array([0, 1], dtype=np.uint32),
        "at": np.array([1, 2]),
        "offsets": np.array([0, 1, 3]),
        "item": np.array([0, 1, 2], dtype=np.uint32),
        "clicked": np.array([True, False, True]),
    }
    assert len(Impressions(**sound)) == 2
    with pytest.raises(InvalidInput, match=field):
        Impressions(**{**sound, field: values})


def test_two_folders_are_one_set_whose_second_is_judged(tmp_path: Path) -> None:
    later = BEHAVIOURS.replace("11/13", "11/14").replace("U2", "U3").replace("N3-1", "N7-1")
    folders = [tmp_path / name for name in ("train", "dev")]
    for folder, text in zip(folders, (BEHAVIOURS, later), strict=True):
        folder.mkdir()
        folder_of(folder, text, NEWS if folder.name == "train" else None)
    dataset = read_mind_parts(*folders, "small")
    log = dataset.impressions
    assert log is not None
    assert log.judged is not None
    assert dataset.name == "small"
    assert log.judged.tolist() == [False] * 3 + [True] * 3
    assert [item.id for item in dataset.items][-1] == "N7"
    # Whoever is new in the second folder has the history that stands there; U1, of both, that of the first.
    assert dataset.people_ids == ["U1", "U2", "U3"]
    assert [item for person, item in rows_of(dataset.events) if person == 2] == [4, 0, 6]


def test_a_second_folder_that_begins_before_the_first_ends_is_refused(tmp_path: Path) -> None:
    for name in ("train", "dev"):
        (tmp_path / name).mkdir()
        folder_of(tmp_path / name)
    with pytest.raises(InvalidInput, match="none of which is older"):
        read_mind_parts(tmp_path / "train", tmp_path / "dev", "small")
