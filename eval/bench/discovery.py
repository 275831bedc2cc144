"""What lies in a folder: the sets that can be judged, told by the shape of their files, and what is left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.bench.bandits import Bandit, bandits
from eval.bench.formats import FORMATS, mind_pairs, mind_parts, sequences
from eval.bench.published import KNOWN, plain
from eval.bench.sets import Benchmark
from recommender.errors import InvalidInput

SHAPES = (
    "train.txt and test.txt (LightGCN), files of a person and items on each line (S3-Rec), ratings and films (MovieLens), behaviors.tsv or "
    "two such folders named train and dev (MIND), titles.txt and cold-start/ (CiteULike-a), random_*.csv and bts_*.csv (Open Bandit)"
)


@dataclass(frozen=True)
class Found:
    """`benchmarks` and `bandits` in the order in which they are judged; `skipped`: a sentence for each folder that holds nothing known."""

    benchmarks: tuple[Benchmark, ...]
    bandits: tuple[Bandit, ...]
    skipped: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """What can be asked for."""
        return [*(one.name for one in self.benchmarks), *(one.name for one in self.bandits)]

    def chosen(self, names: Sequence[str]) -> Found:
        """Those of `names`, whatever their spelling, or all without names. Raises `InvalidInput` listing what there is for another."""
        if not names:
            return self
        wanted = {plain(name): name for name in names}
        spelled = {plain(word) for one in self.benchmarks for word in (one.name, *one.aliases)} | {plain(one.name) for one in self.bandits}
        unknown = [name for key, name in wanted.items() if key not in spelled]
        if unknown:
            raise InvalidInput("set", ", ".join(unknown), f"what was found: {', '.join(self.names)}")
        some = [one for one in self.benchmarks if wanted.keys() & {plain(word) for word in (one.name, *one.aliases)}]
        return Found(tuple(some), tuple(one for one in self.bandits if plain(one.name) in wanted))


def discover(data: Path) -> Found:
    """The sets of `data` itself or of its sub-folders. Raises `InvalidInput` for a folder that cannot be read or holds no set."""
    try:
        below = sorted(path for path in data.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise InvalidInput("data", str(data), f"a folder that can be read ({error.strerror})") from error
    own, logs = _in_one(data), bandits(data)
    found, skipped = list(own), []
    # Beside files of sequences and pairs of folders there may be folders of other sets; any other set is all that its folder holds.
    if len(own) == len(sequences(data)) + len(mind_parts(data)) and not logs:
        parts = {path for _, *pair in mind_pairs(data) for path in pair}
        for folder in (path for path in below if path not in parts):
            try:
                inside, there = _in_one(folder), bandits(folder)
            except OSError as error:
                skipped.append(f"{folder.name}: skipped, it cannot be read ({error.strerror})")
                continue
            if not inside and not there:
                skipped.append(f"{folder.name}: skipped, it holds none of the formats that are judged here")
            found += inside
            logs += there
    if not found and not logs:
        raise InvalidInput("data", str(data), f"a folder that is or holds a set: {SHAPES}")
    order = [known.name for known in KNOWN.values()]
    found.sort(key=lambda one: (order.index(one.name) if one.name in order else len(order), one.name))
    return Found(tuple(_told_apart(found)), tuple(logs), tuple(skipped))


def _in_one(folder: Path) -> list[Benchmark]:
    """The sets of one folder, of the first format that knows it, and of pairs of folders in it."""
    return next((found for format in FORMATS if (found := format(folder))), []) + mind_parts(folder)


def _told_apart(found: list[Benchmark]) -> list[Benchmark]:
    """Sets of one name with their folder's name before it."""
    often = Counter(plain(one.name) for one in found)
    return [one if often[plain(one.name)] == 1 else replace(one, name=f"{one.folder.name}/{one.name}") for one in found]
