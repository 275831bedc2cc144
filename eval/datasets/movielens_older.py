"""MovieLens in the layouts of its older sets: ML-100K (`u.data`, `u.item`), and ML-1M and ML-10M (`ratings.dat`, `movies.dat`).

Both give the tables that `ratings.csv` and `movies.csv` of the newer sets are.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from eval.datasets.movielens import GENRES
from eval.datasets.tables import read_table
from eval.datasets.text_lines import content_of
from recommender.errors import InvalidInput

RATINGS = ("userId", "movieId", "rating", "timestamp")
_LEADING_FIELDS = 5
"""Of `u.item`, before the marks of its 19 genres: number, title, two days of release, address."""


def tables_of_100k(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Films (movieId, title, genres) of `u.item` and ratings (userId, movieId, rating, timestamp) of `u.data`.

    Raises `InvalidInput` by file and line.
    """
    path, films = folder / "u.item", []
    for place, fields in _rows(path, "|"):
        if len(fields) != _LEADING_FIELDS + 1 + len(GENRES):
            raise InvalidInput(f"{path}:{place}", "|".join(fields), f"{_LEADING_FIELDS + 1 + len(GENRES)} fields separated by |")
        # The first mark stands for "unknown", which is no genre.
        marks = fields[_LEADING_FIELDS + 1 :]
        films.append((fields[0], fields[1], "|".join(name for name, mark in zip(GENRES, marks, strict=True) if mark.strip() == "1")))
    return _films(path, films), _ratings(folder / "u.data", "\t")


def tables_of_dat(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Films of `movies.dat` and ratings of `ratings.dat`, both separated by ::, columns as in `tables_of_100k`.

    Raises `InvalidInput` by file and line.
    """
    path, films = folder / "movies.dat", []
    for place, fields in _rows(path, "::"):
        if len(fields) != 3:
            raise InvalidInput(f"{path}:{place}", "::".join(fields), "three fields separated by ::, number, title and genres")
        films.append((fields[0], fields[1], fields[2]))
    return _films(path, films), _ratings(folder / "ratings.dat", "::")


def _films(path: Path, rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["movieId", "title", "genres"])
    try:
        table["movieId"] = table["movieId"].astype("int64")
    except (ValueError, OverflowError) as error:
        raise InvalidInput(str(path), str(error), "whole numbers as movieId") from error
    if table["movieId"].duplicated().any():
        raise InvalidInput(str(path), int(table["movieId"][table["movieId"].duplicated()].iloc[0]), "one line for each film")
    return table


def _ratings(path: Path, separator: str) -> pd.DataFrame:
    return read_table(path, dict.fromkeys(RATINGS, "int64") | {"rating": "float64"}, names=RATINGS, separator=separator)


def _rows(path: Path, separator: str) -> list[tuple[int, list[str]]]:
    """Number and fields of each line that is not blank. ML-100K and ML-1M are in Latin-1, ML-10M is in UTF-8."""
    content = content_of(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    found = [(place, line.rstrip("\r").split(separator)) for place, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not found:
        raise InvalidInput(str(path), "no line", f"lines of fields separated by {separator!r}")
    return found
