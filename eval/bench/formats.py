"""Sets by the shape of their files: each function looks at one folder and gives the benchmarks that lie in it, none where it is no such."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eval.bench.published import USUAL, known
from eval.bench.sets import Benchmark, as_given, last_out, made_cold, windows
from eval.datasets.citeulike import Cut, read_citeulike
from eval.datasets.dataset import Dataset
from eval.datasets.lightgcn import read_lightgcn
from eval.datasets.mind import read_mind, read_mind_parts
from eval.datasets.movielens_latest import read_movielens
from eval.datasets.sequences import read_sequences
from recommender.judging.cuts import Split

LOOKED_AT = 4_096
"""Bytes of a text file by which it is known for one of numbers."""
_MOVIELENS = (("ratings.csv", "movies.csv"), ("u.data", "u.item"), ("ratings.dat", "movies.dat"))
_DEV = ("dev", "valid", "val", "validation")


def lightgcn(folder: Path) -> list[Benchmark]:
    """`train.txt` and `test.txt`, lines of numbers."""
    if not all(_is_numbers(folder / f"{part}.txt") for part in ("train", "test")):
        return []
    protocol = "the set's own split; every item ranked but those in training"
    return [_benchmark("lightgcn", _name(folder), folder, partial(read_lightgcn, folder), as_given, protocol)]


def sequences(folder: Path) -> list[Benchmark]:
    """Each text file of lines of numbers, a person and then items, oldest first; `NAME_sample.txt` beside `NAME.txt` is none, since S3-Rec
    keeps there what it judges against."""
    if lightgcn(folder):
        return []
    names = {path.stem for path in folder.glob("*.txt")}
    protocol = "each person's last item left out; every item ranked but earlier ones"
    return [
        _benchmark("sequences", path.stem, folder, partial(read_sequences, folder, path.stem), last_out, protocol)
        for path in sorted(folder.glob("*.txt"))
        if path.stem.removesuffix("_sample") not in names - {path.stem} and _is_numbers(path)
    ]


def citeulike(folder: Path) -> list[Benchmark]:
    """`titles.txt` and a published cut below `cold-start`; once with people's tags and once without."""
    known_cuts: tuple[Cut, ...] = ("dropoutnet", "heater")
    cuts = [name for name in known_cuts if (folder / "cold-start" / name).is_dir()]
    if not cuts or not (folder / "titles.txt").is_file():
        return []
    found = []
    for format, suffix, tags in (("citeulike, titles", "title", False), ("citeulike, tags", "tags", True)):
        if tags and not (folder / "item-tag.dat").is_file():
            continue
        words = "titles and tags" if tags else "titles"
        protocol = (
            "papers never seen in training, ranked among themselves for everybody who saved one of them "
            f"({'DropoutNet' if cuts[0] == 'dropoutnet' else 'Heater'}'s cut); {words} known"
        )
        read = partial(read_citeulike, folder, split=cuts[0], tags=tags)
        # The published figures are of DropoutNet's cut alone.
        told = _name(folder) if cuts[0] == "dropoutnet" else f"{_name(folder)} heater"
        found.append(_benchmark(format, told, folder, read, as_given, protocol, name=f"{_name(folder)}-{suffix}"))
    return found


def movielens(folder: Path) -> list[Benchmark]:
    """Ratings and films in any of MovieLens's layouts; once in rolling windows, once with films made cold."""
    if not any(all((folder / name).is_file() for name in names) for names in _MOVIELENS):
        return []
    name, read = _name(folder), partial(read_movielens, folder)
    rolled = (
        "four windows of a tenth of the events each, judged after learning from all before; everybody asks after a quarter, a half and "
        "three quarters of what they did in a window"
    )
    cold = "a fifth of the films never seen in training, ranked among themselves"
    return [
        _benchmark("movielens, rolling", name, folder, read, windows, rolled),
        _benchmark("movielens, cold", name, folder, read, made_cold, cold, name=f"{name}-cold", by_genre=True),
    ]


def mind(folder: Path) -> list[Benchmark]:
    """`behaviors.tsv`."""
    if not (folder / "behaviors.tsv").is_file():
        return []
    protocol = "the newest fifth of the impressions, each ranked with all counts as they were when it was shown"
    return [_benchmark("mind", _name(folder), folder, partial(read_mind, folder), None, protocol)]


def mind_parts(folder: Path) -> list[Benchmark]:
    """Two folders with `behaviors.tsv`, of which one has what is learnt from and the other what is judged."""
    return [
        _benchmark(
            "mind, dev",
            name,
            folder,
            partial(read_mind_parts, train, dev, name),
            None,
            f"every impression of {dev.name} after learning from {train.name}, each ranked with all counts as they were when it was shown",
        )
        for name, train, dev in mind_pairs(folder)
    ]


def mind_pairs(folder: Path) -> list[tuple[str, Path, Path]]:
    """Name, training and dev part of the sets of two folders each below `folder`: "train" and "dev", or "NAME_train" and "NAME_dev"."""
    parts = [path for path in _folders(folder) if (path / "behaviors.tsv").is_file()]
    found = []
    for train in parts:
        stem, word = _stem(train)
        dev = next((path for path in parts if _stem(path)[0] == stem and _stem(path)[1] in _DEV), None)
        if word == "train" and dev is not None:
            found.append((stem or _name(folder), train, dev))
    return found


FORMATS: tuple[Callable[[Path], list[Benchmark]], ...] = (citeulike, movielens, mind, lightgcn, sequences)
"""Of which a folder has one; pairs of folders, `mind_parts`, may lie beside it."""


def _stem(folder: Path) -> tuple[str, str]:
    """What stands before the last word of a folder's name, and that word, small: ("MINDsmall", "train"), ("", "dev")."""
    found = re.fullmatch(r"(?:(.*?)[-_ .]*)?(train|dev|valid|val|validation)", folder.name, re.IGNORECASE)
    return (found[1] or "", found[2].lower()) if found else (folder.name, "")


def _benchmark(
    format: str,
    told: str,
    folder: Path,
    read: Callable[[], Dataset],
    splits: Callable[[Dataset], list[Split]] | None,
    protocol: str,
    *,
    name: str = "",
    by_genre: bool = False,
) -> Benchmark:
    """The benchmark of a set that its folder or file calls `told`; `name`: what the command calls it where nothing is known of it."""
    found = known(format, told)
    own = name or told
    if found is None:
        return Benchmark(own, folder, read, splits, USUAL[format], protocol, by_genre=by_genre)
    return Benchmark(found.name, folder, read, splits, found.measures, protocol, found.source, by_genre, found.people, (own,))


def _name(folder: Path) -> str:
    return folder.resolve().name


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _is_numbers(path: Path) -> bool:
    """Whether a file's first lines are whole numbers, a person and at least one item."""
    try:
        with path.open("rb") as file:
            start = file.read(LOOKED_AT)
    except OSError:
        return False
    if start.translate(None, b"0123456789 \t\r\n") or not start.strip():
        return False
    return len(start.strip().splitlines()[0].split()) > 1
