"""Both sources of MovieLens-100K, in a few lines of our own of either format, make the same import files."""

from __future__ import annotations

import csv
import io
import json

import pytest

from eval.datasets import movielens
from indexing.importing.rows_to_events import event_from_row
from indexing.importing.rows_to_items import item_from_row
from recommender.errors import InvalidInput
from recommender.events import Consent, EventType, Subject


def archive_line(number: int, title: str, released: str, *genres: str) -> str:
    flags = ["1" if name in genres else "0" for name in ("unknown", *movielens.GENRES)]
    return "|".join([str(number), title, released, "", f"http://example.org/?{title}", *flags])


FILMS_OF_ARCHIVE = "\n".join(
    [
        archive_line(3, "Château, Le (1994)", "14-Jul-1994", "Drama", "Sci-Fi"),
        archive_line(1, 'Heist of "Noon", The (1995)', "01-Jan-1995", "Film-Noir"),
        archive_line(2, "unknown", "", "unknown"),
        archive_line(4, "Straight to the Shelf (1996) (V)", "01-Jan-1996", "Children's", "Comedy", "Action"),
    ]
).encode("latin-1")

FILMS_OF_WHEEL = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "3\tChâteau, Le\t1994\tDrama Sci-Fi\n"
    '1\tHeist of "Noon", The\t1995\tFilm-Noir\n'
    "2\tunkonwn\tunkonwn\tunknown\n"
    "4\tStraight to the Shelf (1996)\tV\tAction Children's Comedy\n"
).encode()

RATINGS_OF_ARCHIVE = b"7\t3\t5\t881250949\n7\t1\t3\t881250000\n8\t1\t2\t881250949\n"
RATINGS_OF_WHEEL = (
    b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t3\t5.0\t881250949.0\n7\t1\t3.0\t881250000.0\n8\t1\t2\t881250949\n"
)


def test_films_of_both_sources_make_the_same_items() -> None:
    of_archive = movielens.items_jsonl(movielens.films_of_archive(FILMS_OF_ARCHIVE))
    of_wheel = movielens.items_jsonl(movielens.films_of_wheel(FILMS_OF_WHEEL))

    assert of_archive == of_wheel
    assert [json.loads(line) for line in of_wheel.splitlines()] == [
        {
            "id": "ml-1",
            "kind": "media",
            "title": 'The Heist of "Noon" (1995)',
            "text": "A film from 1995 of the genre film noir.",
            "language": "",
            "categories": ["Film-Noir"],
            "attributes": {"year": 1995},
        },
        {"id": "ml-2", "kind": "media", "title": "Unknown film", "text": "A film.", "language": "", "categories": [], "attributes": {}},
        {
            "id": "ml-3",
            "kind": "media",
            "title": "Le Château (1994)",
            "text": "A film from 1994 of the genres drama and science fiction.",
            "language": "",
            "categories": ["Drama", "Sci-Fi"],
            "attributes": {"year": 1994},
        },
        {
            "id": "ml-4",
            "kind": "media",
            "title": "Straight to the Shelf (1996)",
            "text": "A film from 1996 of the genres action, children's and comedy.",
            "language": "",
            "categories": ["Action", "Children's", "Comedy"],
            "attributes": {"year": 1996},
        },
    ]


def test_ratings_of_both_sources_make_the_same_events_in_order_of_time() -> None:
    of_archive = movielens.events_csv(movielens.ratings_of_archive(RATINGS_OF_ARCHIVE))
    of_wheel = movielens.events_csv(movielens.ratings_of_wheel(RATINGS_OF_WHEEL))

    assert of_archive == of_wheel
    assert of_wheel == (
        "id,type,user_id,item_id,at,value,portion,consent\n"
        "ml100k-7-1,watch,u7,ml-1,1997-12-04T15:40:00Z,3,1,all\n"
        "ml100k-7-3,like,u7,ml-3,1997-12-04T15:55:49Z,5,,all\n"
        "ml100k-8-1,dislike,u8,ml-1,1997-12-04T15:55:49Z,2,,all\n"
    )


@pytest.mark.parametrize(("rating", "type"), [(1, "dislike"), (2, "dislike"), (3, "watch"), (4, "like"), (5, "like")])
def test_each_rating_has_its_type(rating: int, type: str) -> None:
    text = movielens.events_csv(movielens.ratings_of_archive(f"7\t3\t{rating}\t881250949\n".encode()))

    assert text.splitlines()[1].split(",")[1] == type


def test_the_files_are_what_an_import_takes() -> None:
    items = [json.loads(line) for line in movielens.items_jsonl(movielens.films_of_wheel(FILMS_OF_WHEEL)).splitlines()]
    rows = list(csv.DictReader(io.StringIO(movielens.events_csv(movielens.ratings_of_wheel(RATINGS_OF_WHEEL)))))

    films = [item_from_row({name: value for name, value in item.items() if value != ""}, untyped=False) for item in items]
    watched = event_from_row({name: value for name, value in rows[0].items() if value})

    assert [film.id for film in films] == ["ml-1", "ml-2", "ml-3", "ml-4"]
    assert films[0].published_at is None
    assert (watched.type, watched.subject, watched.value, watched.portion) == (EventType.WATCH, Subject.user("u7"), 3.0, 1.0)
    assert watched.consent is Consent.ALL


@pytest.mark.parametrize("rating", [0, 6])
def test_a_rating_outside_the_scale_is_refused(rating: int) -> None:
    with pytest.raises(InvalidInput, match="ratings from 1 to 5"):
        movielens.ratings_of_archive(f"7\t3\t{rating}\t881250949\n".encode())


def test_a_file_that_is_something_else_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^ml-100k\.item: "):
        movielens.films_of_wheel(b"<html>not found</html>\n")
    with pytest.raises(InvalidInput, match=r"^u\.data: "):
        movielens.ratings_of_archive(b"one\ttwo\tthree\tfour\n")
