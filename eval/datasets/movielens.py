"""MovieLens-100K as import files: films as media items, ratings as events.

There are two sources, the archive of its publisher GroupLens and the copy that the wheel of RecBole carries. The archive
alone knows days of release, and only of some films; the wheel knows years. So that both give the same files, nothing is made
of those days, and `published_at` stays empty: a made-up 1 January would make films of one year look newer than those with a day.
"""

from __future__ import annotations

import csv
import json
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from eval.datasets.film_titles import title_and_year
from recommender.errors import InvalidInput
from recommender.events import EventType

GENRES = (
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
"""The genres in MovieLens's order; its "unknown" counts as none."""

_GENRE_WORDS = {"Sci-Fi": "science fiction", "Film-Noir": "film noir"}

_ITEM_FIELDS = ["film", "title", "released", "video_released", "address", "unknown", *GENRES]
_RATING_FIELDS = ["user", "film", "rating", "seconds"]


def films_of_archive(content: bytes) -> pd.DataFrame:
    """Films from `u.item`, which is separated by | and written in Latin-1. Columns: film (int), title, year (Int64), genres (list)."""
    table = _read(content, separator="|", encoding="latin-1", names=_ITEM_FIELDS, needed=_ITEM_FIELDS, what="u.item")
    genres = table[list(GENRES)].eq("1").apply(lambda row: [name for name in GENRES if row[name]], axis=1)
    return _films(table["film"], table["title"], genres, "u.item")


def films_of_wheel(content: bytes) -> pd.DataFrame:
    """Films from RecBole's `ml-100k.item`, which is separated by tabs and has the year in a column. Columns as in `films_of_archive`."""
    table = _read(
        content, separator="\t", encoding="utf-8", needed=["item_id", "movie_title", "release_year", "class"], what="ml-100k.item"
    )
    titles = table["movie_title"] + " (" + table["release_year"] + ")"
    genres = table["class"].map(lambda names: [name for name in GENRES if name in names.split(" ")])
    return _films(table["item_id"], titles, genres, "ml-100k.item")


def ratings_of_archive(content: bytes) -> pd.DataFrame:
    """Ratings from `u.data`, which is separated by tabs. Columns: user, film, rating, seconds (all int), in order of time."""
    return _ratings(
        _read(content, separator="\t", encoding="latin-1", names=_RATING_FIELDS, needed=_RATING_FIELDS, what="u.data"), "u.data"
    )


def ratings_of_wheel(content: bytes) -> pd.DataFrame:
    """Ratings from RecBole's `ml-100k.inter`, whose numbers may be written as floats. Columns as in `ratings_of_archive`."""
    table = _read(content, separator="\t", encoding="utf-8", needed=["user_id", "item_id", "rating", "timestamp"], what="ml-100k.inter")
    return _ratings(table.set_axis(_RATING_FIELDS, axis=1), "ml-100k.inter")


def items_jsonl(films: pd.DataFrame) -> str:
    """The films as lines of an items file."""
    return "".join(json.dumps(_item(*film), ensure_ascii=False) + "\n" for film in films.itertuples(index=False, name=None))


def events_csv(ratings: pd.DataFrame) -> str:
    """The ratings as an events file, their types as `types_of_ratings` gives them."""
    user, film, rating = ratings["user"].astype(str), ratings["film"].astype(str), ratings["rating"]
    types = types_of_ratings(rating.to_numpy())
    watched = pd.Series(types == EventType.WATCH, index=ratings.index)
    events = pd.DataFrame(
        {
            "id": "ml100k-" + user + "-" + film,
            "type": [EventType(number).name.lower() for number in types],
            "user_id": "u" + user,
            "item_id": "ml-" + film,
            "at": pd.to_datetime(ratings["seconds"], unit="s", utc=True).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "value": rating,
            "portion": watched.map({True: "1", False: ""}),
            "consent": "all",
        }
    )
    text: str = events.to_csv(index=False, lineterminator="\n")
    return text


def types_of_ratings(stars: npt.NDArray[np.number]) -> npt.NDArray[np.uint8]:
    """Event types of ratings of 0.5 to 5 stars, both shape (m,): from 4 a like, from 3 it was watched and no more, below a dislike."""
    return np.select([stars >= 4, stars >= 3], [EventType.LIKE, EventType.WATCH], EventType.DISLIKE).astype(np.uint8)


def describe(year: int | None, genres: list[str]) -> str:
    """One sentence to embed, from all that is known beside the title."""
    sentence = "A film" if year is None else f"A film from {year}"
    if not genres:
        return f"{sentence}."
    words = [_GENRE_WORDS.get(genre, genre.lower()) for genre in genres]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"{sentence} of the genre{'s' if len(words) > 1 else ''} {listed}."


def _item(film: int, title: str, year: object, genres: list[str]) -> dict[str, object]:
    known = None if pd.isna(year) else int(str(year))
    return {
        "id": f"ml-{film}",
        "kind": "media",
        "title": title if known is None else f"{title} ({known})",
        "text": describe(known, genres),
        "language": "",
        "categories": genres,
        "attributes": {} if known is None else {"year": known},
    }


def _read(content: bytes, *, separator: str, encoding: str, needed: list[str], what: str, names: list[str] | None = None) -> pd.DataFrame:
    """All fields as text. Without `names` the first line gives them, as in "user_id:token", and loses its types."""
    try:
        table = pd.read_csv(
            BytesIO(content),
            sep=separator,
            encoding=encoding,
            names=names,
            header=0 if names is None else None,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
        )
    except ValueError as error:
        raise InvalidInput(what, str(error), f"the fields {', '.join(needed)}") from error
    table = table.rename(columns=lambda name: name.partition(":")[0])
    if not set(needed) <= set(table.columns):
        raise InvalidInput(what, ", ".join(table.columns), f"the fields {', '.join(needed)}")
    return table


def _films(numbers: pd.Series, titles: pd.Series, genres: pd.Series, what: str) -> pd.DataFrame:
    parsed = [title_and_year(title) for title in titles]
    films = pd.DataFrame({"film": _whole(numbers, what), "title": [title for title, _ in parsed]})
    films["year"] = pd.array([year for _, year in parsed], dtype="Int64")
    films["genres"] = genres
    return films.sort_values("film", ignore_index=True)


def _ratings(table: pd.DataFrame, what: str) -> pd.DataFrame:
    ratings = table[_RATING_FIELDS].apply(lambda column: _whole(column, what))
    if not ratings["rating"].between(1, 5).all():
        raise InvalidInput(what, f"ratings from {ratings['rating'].min()} to {ratings['rating'].max()}", "ratings from 1 to 5")
    return ratings.sort_values(["seconds", "user", "film"], ignore_index=True)


def _whole(column: pd.Series, what: str) -> pd.Series:
    """Whole numbers, which may be written with a point."""
    try:
        return pd.to_numeric(column).astype("int64")
    except ValueError as error:
        raise InvalidInput(what, str(error), f"whole numbers as {column.name}") from error
