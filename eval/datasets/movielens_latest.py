"""MovieLens: in the layout of ml-latest, ml-latest-small and ml-25m (`ratings.csv`, `movies.csv`, `tags.csv`), and in those of older sets.

Harper and Konstan, "The MovieLens Datasets: History and Context", TiiS 2015.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from eval.datasets.dataset import SECOND_US, Dataset, events_of_type
from eval.datasets.film_titles import title_and_year
from eval.datasets.movielens import types_of_ratings
from eval.datasets.movielens_older import tables_of_100k, tables_of_dat
from eval.datasets.tables import read_table
from eval.datasets.text_lines import text_lines
from recommender.errors import InvalidInput
from recommender.items import LABEL_LIMIT, LABELS_LIMIT, Item, ItemKind
from recommender.order import Order

NOTE = (
    "MovieLens, GroupLens at the University of Minnesota (https://grouplens.org/datasets/movielens/): for research, do not pass the data "
    "on, ask before any commercial use. Texts of item_text.jsonl, where it is there: Wikipedia (CC BY-SA) and TMDB."
)

_TEXTS = ("overview", "wikipedia")
_LISTS = ("cast", "keywords")
_WITHOUT_GENRE = "(no genres listed)"
_FILMS_OF = {"ratings.csv": "movies.csv", "u.data": "u.item", "ratings.dat": "movies.dat"}
"""Where the films stand whose ratings a file has."""
_LATEST = 1 << 33
"""Seconds since 1970 that no rating's time reaches: the year 2242."""


def read_movielens(folder: Path) -> Dataset:
    """Films by ascending `movieId`, ratings as likes, watches and dislikes at their times.

    Categories are the genres. Tags are what people said in `tags.csv`, in lower case, most often said first, and after them the
    keywords of `item_text.jsonl`, 100 in all. That file, one object a line with `movieId` and any of `overview`, `wikipedia`, `cast`
    and `keywords`, gives the text too: overview, Wikipedia and cast, one paragraph each. Both files may be absent. Tags are taken whenever
    they were given, so a test that must know nothing of later tags has to do without. A folder with `u.data` and `u.item`, or with
    `ratings.dat` and `movies.dat`, is read in the same way. Raises `InvalidInput` by file and line.
    """
    films, ratings, path, first = _tables(folder)
    films = films.sort_values("movieId", ignore_index=True)
    numbers = films["movieId"].to_numpy()
    stars, seconds = ratings["rating"].to_numpy(), ratings["timestamp"].to_numpy()
    _refuse(path, first, ~((stars >= 0.5) & (stars <= 5)), stars, "a rating from 0.5 to 5")
    _refuse(path, first, (seconds < 0) | (seconds >= _LATEST), seconds, "seconds since 1970")
    film = ratings["movieId"].to_numpy()
    _refuse(path, first, ~np.isin(film, numbers), film, f"a movieId of {_FILMS_OF[path.name]}")
    people = np.unique(ratings["userId"].to_numpy())
    said, told = _said(folder / "tags.csv"), _told(folder / "item_text.jsonl")
    return Dataset(
        name=folder.resolve().name,
        items=[
            _item(number, title, genres, said.get(number, []), told.get(number, {}))
            for number, title, genres in films[["movieId", "title", "genres"]].itertuples(index=False, name=None)
        ],
        events=events_of_type(
            types_of_ratings(stars), np.searchsorted(people, ratings["userId"]), np.searchsorted(numbers, film), seconds * SECOND_US
        ),
        order=Order.TIME,
        people_ids=[str(number) for number in people.tolist()],
        note=NOTE,
    )


def _tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, Path, int]:
    """Films, ratings, the file that these stand in, and the line of the first of them."""
    if not (folder / "ratings.csv").exists():
        if (folder / "u.data").exists():
            return *tables_of_100k(folder), folder / "u.data", 1
        if (folder / "ratings.dat").exists():
            return *tables_of_dat(folder), folder / "ratings.dat", 1
    films = read_table(folder / "movies.csv", {"movieId": "int64", "title": "str", "genres": "str"})
    path = folder / "ratings.csv"
    return films, read_table(path, {"userId": "int64", "movieId": "int64", "rating": "float64", "timestamp": "int64"}), path, 2


def _item(number: int, title: str, genres: str, said: list[str], told: dict[str, object]) -> Item:
    readable, year = title_and_year(title)
    lists = {name: [str(word) for word in found] for name in _LISTS if isinstance(found := told.get(name), list)}
    paragraphs = [str(told[name]) for name in _TEXTS if told.get(name)]
    if lists.get("cast"):
        paragraphs.append(f"With {', '.join(lists['cast'])}.")
    labels = dict.fromkeys(word[:LABEL_LIMIT] for word in [*said, *lists.get("keywords", [])] if word)
    return Item(
        f"ml-{number}",
        ItemKind.MEDIA,
        title=readable if year is None else f"{readable} ({year})",
        text="\n\n".join(paragraphs),
        categories=() if genres == _WITHOUT_GENRE else tuple(filter(None, genres.split("|"))),
        tags=tuple(labels)[:LABELS_LIMIT],
        attributes={} if year is None else {"year": year},
    )


def _said(path: Path) -> dict[int, list[str]]:
    """What people said of each film: the most often said first, of equals the first in the alphabet."""
    if not path.exists():
        return {}
    table = read_table(path, {"movieId": "int64", "tag": "str"})
    table["tag"] = table["tag"].str.strip().str.lower()
    counts = table.groupby(["movieId", "tag"], as_index=False).size().sort_values(["movieId", "size", "tag"], ascending=[True, False, True])
    return {int(number): tags.tolist() for number, tags in counts.groupby("movieId")["tag"]}


def _told(path: Path) -> dict[int, dict[str, object]]:
    if not path.exists():
        return {}
    found: dict[int, dict[str, object]] = {}
    for place, line in enumerate(text_lines(path), 1):
        try:
            row = json.loads(line)
            found[int(row["movieId"])] = row
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidInput(f"{path}:{place}", line, "a JSON object with a movieId") from error
    return found


def _refuse(path: Path, first: int, bad: np.ndarray, values: np.ndarray, allowed: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InvalidInput(f"{path}:{row + first}", values[row].item(), allowed)
