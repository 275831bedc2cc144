"""MovieLens in its layout of CSV files, with and without the files that may be absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from event_rows import rows_of

from eval.datasets.movielens_latest import read_movielens
from recommender.errors import InvalidInput
from recommender.events import EventType
from recommender.order import Order

FILES = {
    "movies.csv": 'movieId,title,genres\n9,"Postman, The (1997)",Drama|Comedy\n2,"A ""Quoted"" One",(no genres listed)\n',
    "ratings.csv": "userId,movieId,rating,timestamp\n7,9,3.5,1000\n7,2,4.0,900\n3,9,2.5,50\n3,2,3.0,60\n",
}


def folder_of(tmp_path: Path, **changed: str) -> Path:
    for name, text in (FILES | changed).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_ratings_become_likes_watches_and_dislikes_at_their_times(tmp_path: Path) -> None:
    dataset = read_movielens(folder_of(tmp_path))
    assert rows_of(dataset.events) == [(0, 1), (0, 0), (1, 0), (1, 1)]
    assert [EventType(number).name for number in dataset.events.type] == ["DISLIKE", "WATCH", "LIKE", "WATCH"]
    assert dataset.events.at.tolist() == [50_000_000, 60_000_000, 900_000_000, 1_000_000_000]
    assert (dataset.order, dataset.people_ids) == (Order.TIME, ["3", "7"])


def test_films_have_readable_titles_years_and_genres(tmp_path: Path) -> None:
    quoted, postman = read_movielens(folder_of(tmp_path)).items
    assert (quoted.id, quoted.title, quoted.categories, dict(quoted.attributes)) == ("ml-2", 'A "Quoted" One', (), {})
    assert (postman.id, postman.title, dict(postman.attributes)) == ("ml-9", "The Postman (1997)", {"year": 1997.0})
    assert postman.categories == ("Drama", "Comedy")


def test_tags_and_texts_are_taken_where_they_are(tmp_path: Path) -> None:
    told = {"movieId": 9, "overview": "Mail.", "wikipedia": "A film.", "cast": ["Kevin", "Olivia"], "keywords": ["post", "Epic"]}
    tags = "userId,movieId,tag,timestamp\n1,9,slow,1\n1,9,Epic,1\n2,9,epic ,2\n"
    folder = folder_of(tmp_path, **{"tags.csv": tags, "item_text.jsonl": json.dumps(told) + "\n"})
    quoted, postman = read_movielens(folder).items
    assert postman.tags == ("epic", "slow", "post", "Epic")
    assert postman.text == "Mail.\n\nA film.\n\nWith Kevin, Olivia."
    assert (quoted.tags, quoted.text) == ((), "")


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("ratings.csv", "userId,movieId,rating,timestamp\n7,9,3,1\n7,9,six,1\n", r"ratings.csv:3: given .*'six'.*rating"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n7,9,5.5,1\n", r"ratings.csv:2: given 5.5"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n7,9,,1\n", r"ratings.csv:2: given .*invalid value ''"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n7,9,inf,1\n", r"ratings.csv:2: given inf, .*finite number as rating"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n7,9,3\n", r"ratings.csv:2: given 'Expected 4 columns, got 3"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n7,9,3,-1\n", r"ratings.csv:2: given -1"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n7,9,3,1\n7,9,3,1,1\n", r"ratings.csv:3: given 'Expected 4 columns, got 5"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n7,8,3,1\n", r"ratings.csv:2: given 8, .*movies.csv"),
        ("ratings.csv", "userId,movieId,rating\n7,8,3\n", r"ratings.csv: .*timestamp"),
        ("ratings.csv", "", r"ratings.csv: .*Empty"),
        ("item_text.jsonl", '{"movieId": 9}\n{"title": "x"}\n', r"item_text.jsonl:2: .*movieId"),
        ("item_text.jsonl", "nothing\n", r"item_text.jsonl:1: "),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path: Path, name: str, text: str, where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        read_movielens(folder_of(tmp_path, **{name: text}))


def test_ratings_must_be_utf8_and_there(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "movies.csv").write_bytes(b"movieId,title,genres\n9,Caf\xe9,Drama\n")
    with pytest.raises(InvalidInput, match=r"movies.csv:2: .*UTF8"):
        read_movielens(folder)
    (folder / "movies.csv").unlink()
    with pytest.raises(InvalidInput, match=r"movies.csv: given 'No such file"):
        read_movielens(folder)
