"""Tiny sets in the layouts of public ones, whose right answers are known by construction, and a run over them without other processes."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from io import StringIO
from pathlib import Path

import numpy as np

from eval.bench.apart import Task, measured
from eval.bench.quality import Scope
from eval.bench.report import Report
from eval.bench.run import Outputs, run_quality
from indexing.progress import Lines
from recommender.placements import Placement
from recommender.profile import BuildSettings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOME = Placement(name="home")


def two_tastes(folder: Path, people: int = 120, items: int = 80) -> Path:
    """A set in LightGCN's format: person n takes up items of taste n % 2, of which two are held out."""
    rng = np.random.default_rng(3)
    train, test = [], []
    for person in range(people):
        chosen = rng.choice(np.arange(person % 2, items, 2), 14, replace=False)
        train.append(" ".join(map(str, [person, *chosen[:12]])))
        test.append(" ".join(map(str, [person, *chosen[12:]])))
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text("\n".join(train) + "\n")
    (folder / "test.txt").write_text("\n".join(test) + "\n")
    return folder


def rounds(path: Path, people: int = 120, items: int = 60) -> Path:
    """A file in S3-Rec's format: everybody goes round the items one by one, from one place or another."""
    rng = np.random.default_rng(4)
    starts, lengths = rng.integers(0, items, people), rng.integers(3, 12, people)
    walks = ((start + np.arange(length)) % items + 1 for start, length in zip(starts, lengths, strict=True))
    lines = [[person, *walk] for person, walk in enumerate(walks)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(" ".join(map(str, line)) for line in lines) + "\n")
    return path


def ratings(people: int = 90, films: int = 60) -> list[tuple[int, int, int, int]]:
    """Person, film, stars and second: person n likes films of genre n % 3, in the course of eleven days."""
    rng = np.random.default_rng(5)
    return [
        (person, int(film), 5, int(rng.integers(0, 10**6)))
        for person in range(people)
        for film in rng.choice(np.arange(person % 3, films, 3), 10, replace=False)
    ]


def movielens(folder: Path, films: int = 60) -> Path:
    """The same ratings as ML-1M has them; films have a genre and no title to speak of."""
    folder.mkdir(parents=True)
    lines = ["::".join(map(str, row)) for row in ratings(films=films)]
    (folder / "ratings.dat").write_text("\n".join(lines) + "\n")
    genres = ("Drama", "Comedy", "War")
    (folder / "movies.dat").write_text("".join(f"{film}::X (19{50 + film % 40})::{genres[film % 3]}\n" for film in range(films)))
    return folder


def run(
    data: Path,
    names: list[str],
    tmp_path: Path,
    *,
    settings: BuildSettings | None = None,
    people: int = 50,
    ablate: bool = False,
    replications: int = 0,
) -> Report:
    """The sets of `data` in this process; the log is looks.jsonl below `tmp_path`, beside figures.json and quality.md."""
    task = Task(settings or BuildSettings(), HOME, Scope(people, ablate), tmp_path / "cache", tmp_path / "log" / "looks.jsonl", NOW)
    quiet = Lines(StringIO())
    outputs = Outputs(tmp_path / "figures.json", tmp_path / "quality.md", "recommender bench quality --data X")
    return run_quality(data, names, task, quiet, outputs=outputs, replications=replications, measured=partial(measured, report=quiet))
