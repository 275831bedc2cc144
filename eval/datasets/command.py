"""`recommender dataset …`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from eval.datasets.movielens_source import CITATION, TERMS, MovieLensFiles, MovieLensSource, fetch_movielens_100k
from indexing.progress import reporter

_DEFAULT = MovieLensSource()


@click.group("dataset")
def dataset_group() -> None:
    """Fetch public data sets and write them as import files."""


@dataset_group.command("movielens-100k")
@click.option("--to", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for items.jsonl and events.csv.")
@click.option(
    "--url", default=_DEFAULT.url, show_default=True, help="Address of the archive; what comes from it must have the known checksum."
)
@click.option(
    "--timeout", "timeout_s", default=_DEFAULT.timeout_s, show_default=True, type=click.FloatRange(0.1, 600), help="Seconds to wait for it."
)
def movielens_100k(to: Path, url: str, timeout_s: float) -> None:
    """Fetch MovieLens-100K: 1,682 films and 100,000 ratings by 943 people.

    Where the archive is out of reach, the copy inside the wheel of RecBole is fetched with pip.
    """
    files = fetch_movielens_100k(
        to,
        reporter=reporter(sys.stderr),
        tell=lambda words: click.echo(words, err=True),
        source=MovieLensSource(url=url, timeout_s=timeout_s),
    )
    for line in report_lines(files):
        click.echo(line)


def report_lines(files: MovieLensFiles) -> list[str]:
    """What was written, where it came from, and whose it is."""
    written = f"{files.films:,} films in {files.items}, {files.ratings:,} ratings in {files.events}"
    return [f"MovieLens-100K from {files.origin.value}: {written}", TERMS, CITATION]
