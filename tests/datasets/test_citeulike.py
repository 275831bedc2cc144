"""CiteULike-a: two cuts that count people and papers from 1 or from 0 and mean the same ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from event_rows import rows_of

from eval.datasets.citeulike import read_citeulike
from recommender.errors import InvalidInput
from recommender.items import ItemKind
from recommender.order import Order

FILES = {
    "titles.txt": "Small worlds\nRandom graphs\u2028in brief\nTangled webs\nLoops\n",
    "tags.dat": "graphs\nto_read\nnets\n",
    "item-tag.dat": "2 0 2\n0\n1 1\n3 2 1 2\n",
    "cold-start/dropoutnet/train.csv": "1,1,1\n1,4,1\n2,1,1\n",
    "cold-start/dropoutnet/test.csv": "2,2,1\n2,3,1\n",
    "cold-start/dropoutnet/cold_items.csv": "2\n3\n",
    "cold-start/heater/train.csv": "uid,iid\n0,0\n0,3\n1,0\n",
    "cold-start/heater/vali.csv": "uid,iid\n1,1\n",
    "cold-start/heater/test.csv": "uid,iid\n1,2\n",
    "cold-start/heater/test_item_ids.csv": "2\n3\n",
}


def folder_of(tmp_path: Path, **changed: str) -> Path:
    for name, text in (FILES | {name.replace("__", "/"): text for name, text in changed.items()}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_dropoutnets_numbers_begin_at_one(tmp_path: Path) -> None:
    dataset = read_citeulike(folder_of(tmp_path))
    assert dataset.test is not None
    assert dataset.candidates is not None
    assert rows_of(dataset.events) == [(0, 0), (0, 3), (1, 0)]
    assert rows_of(dataset.test) == [(1, 1), (1, 2)]
    assert dataset.candidates.tolist() == [1, 2]
    assert (dataset.order, dataset.people_ids) == (Order.NONE, ["0", "1"])


def test_heaters_pairs_begin_at_zero_and_its_list_at_one(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    test, validation = read_citeulike(folder, split="heater"), read_citeulike(folder, split="heater-validation")
    assert test.test is not None
    assert validation.test is not None
    assert test.candidates is not None
    assert validation.candidates is not None
    assert rows_of(test.events) == rows_of(validation.events) == rows_of(read_citeulike(folder).events)
    assert (rows_of(test.test), rows_of(validation.test)) == ([(1, 2)], [(1, 1)])
    assert (test.candidates.tolist(), validation.candidates.tolist()) == ([1, 2], [1])


def test_papers_have_titles_and_on_request_tags(tmp_path: Path) -> None:
    papers = read_citeulike(folder_of(tmp_path)).items
    assert [paper.title for paper in papers] == ["Small worlds", "Random graphs\u2028in brief", "Tangled webs", "Loops"]
    assert [paper.tags for paper in papers] == [("graphs", "nets"), (), ("to_read",), ("nets", "to_read")]
    assert {paper.kind for paper in papers} == {ItemKind.ARTICLE}
    assert {paper.tags for paper in read_citeulike(tmp_path, tags=False).items} == {()}


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("cold-start/dropoutnet/train.csv", "1,1,1\n1,5,1\n", r"train.csv:2: given \(1, 5, 1\), .*paper from 1 to 4"),
        ("cold-start/dropoutnet/train.csv", "1,1,1\n0,1,1\n", r"train.csv:2: "),
        ("cold-start/dropoutnet/train.csv", "1,1,1\n1,x,1\n", r"train.csv:2: given .*'x'.*iid"),
        ("cold-start/dropoutnet/train.csv", "1,1,1\n1,2,1\n", r"papers of training \[1\]"),
        ("cold-start/dropoutnet/test.csv", "2,4,1\n", r"held-out papers \[3\]"),
        ("cold-start/dropoutnet/cold_items.csv", "2\n3\n5\n", r"cold_items.csv:3: given 5"),
        ("item-tag.dat", "2 0 2\n0\n", r"item-tag.dat: given '2 lines', .*4 titles"),
        ("item-tag.dat", "2 0 2\n0\n2 1\n0\n", r"item-tag.dat:3: "),
        ("item-tag.dat", "2 0 3\n0\n0\n0\n", r"item-tag.dat:1: "),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path: Path, name: str, text: str, where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        read_citeulike(folder_of(tmp_path, **{name: text}))


def test_titles_must_be_utf8(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "titles.txt").write_bytes(b"Small worlds\nCaf\xe9\n")
    with pytest.raises(InvalidInput, match=r"titles.txt:2: .*UTF-8"):
        read_citeulike(folder)


def test_another_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="split: given 'warm'"):
        read_citeulike(tmp_path, split="warm")  # type: ignore[arg-type]
