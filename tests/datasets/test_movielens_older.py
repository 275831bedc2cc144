"""MovieLens in the layouts of ML-100K and ML-1M is read as the newer layout is."""

from __future__ import annotations

from pathlib import Path

import pytest
from event_rows import rows_of

from eval.datasets.movielens_latest import read_movielens
from recommender.errors import InvalidInput
from recommender.events import EventType

NEWER = {
    "movies.csv": "movieId,title,genres\n9,Café (1997),Drama|Comedy\n2,A Quoted One,Animation\n",
    "ratings.csv": "userId,movieId,rating,timestamp\n7,9,3,1000\n7,2,4,900\n3,9,2,50\n3,2,3,60\n",
}
MARKS = {"Drama": 8, "Comedy": 5, "Animation": 3}
"""Places of genres among the 19 marks of u.item."""


def marked(*genres: str) -> str:
    return "|".join("1" if place in [MARKS[genre] for genre in genres] else "0" for place in range(19))


HUNDRED = {
    "u.item": f"9|Café (1997)|01-Jan-1997||http://x|{marked('Comedy', 'Drama')}\n2|A Quoted One|||http://y|{marked('Animation')}\n",
    "u.data": "7\t9\t3\t1000\n7\t2\t4\t900\n3\t9\t2\t50\n3\t2\t3\t60\n",
}
MILLION = {
    "movies.dat": "9::Café (1997)::Comedy|Drama\n2::A Quoted One::Animation\n",
    "ratings.dat": "7::9::3::1000\n7::2::4::900\n3::9::2::50\n3::2::3::60\n",
}


def folder_of(folder: Path, files: dict[str, str], encoding: str = "latin-1") -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode(encoding))
    return folder


@pytest.mark.parametrize(("files", "encoding"), [(HUNDRED, "latin-1"), (MILLION, "latin-1"), (MILLION, "utf-8")])
def test_every_layout_gives_the_same_set(tmp_path: Path, files: dict[str, str], encoding: str) -> None:
    older = read_movielens(folder_of(tmp_path / "older", files, encoding))
    newer = read_movielens(folder_of(tmp_path / "newer", NEWER, "utf-8"))
    assert rows_of(older.events) == rows_of(newer.events)
    assert older.events.type.tolist() == newer.events.type.tolist()
    assert older.events.at.tolist() == newer.events.at.tolist()
    assert EventType.LIKE in older.events.type
    assert (older.people_ids, older.order) == (newer.people_ids, newer.order)
    for ours, theirs in zip(older.items, newer.items, strict=True):
        assert (ours.id, ours.title, set(ours.categories)) == (theirs.id, theirs.title, set(theirs.categories))


@pytest.mark.parametrize(
    ("files", "name", "text", "where"),
    [
        (HUNDRED, "u.item", "9|Café|x\n", r"u.item:1: .*24 fields"),
        (HUNDRED, "u.data", "7\t9\t3\t1000\n7\t9\t3\n", r"u.data:2: .*Expected 4 columns"),
        (HUNDRED, "u.data", "7\t9\tmany\t1000\n", r"u.data:1: .*many"),
        (HUNDRED, "u.data", "7\t8\t3\t1000\n", r"u.data:1: given 8, .*u.item"),
        (HUNDRED, "u.data", "7\t9\t3\t1000\n7\t9\t6\t1000\n", r"u.data:2: given 6"),
        (MILLION, "movies.dat", "9::Café\n", r"movies.dat:1: .*three fields"),
        (MILLION, "movies.dat", "x::Café::Drama\n", r"movies.dat: .*movieId"),
        (MILLION, "movies.dat", "9::A::Drama\n9::B::Drama\n", r"movies.dat: given 9, .*one line"),
        (MILLION, "movies.dat", "\n", r"movies.dat: given 'no line'"),
        (MILLION, "ratings.dat", "7::9::3::-5\n", r"ratings.dat:1: given -5"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path: Path, files: dict[str, str], name: str, text: str, where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        read_movielens(folder_of(tmp_path, files | {name: text}))
