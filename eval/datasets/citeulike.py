"""CiteULike-a: people's libraries of papers, and two published cuts that keep papers out of training altogether.

Wang, Chen and Li, "Collaborative Topic Regression with Social Regularization", IJCAI 2013. The cuts are those of DropoutNet
(Volkovs, Yu and Poutanen, NeurIPS 2017) and Heater (Zhu, Sefati, Saadat and Caverlee, SIGIR 2020).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from eval.datasets.dataset import Dataset, undated_events
from eval.datasets.tables import read_table
from eval.datasets.text_lines import text_lines
from recommender.errors import InvalidInput
from recommender.items import LABELS_LIMIT, Item, ItemKind
from recommender.order import Order

NOTE = (
    "CiteULike-a (https://github.com/js05212/citeulike-a), no licence stated; cuts by DropoutNet "
    "(https://github.com/layer6ai-labs/DropoutNet) and Heater (https://github.com/Zziwei/Heater--Cold-Start-Recommendation)."
)

Cut = Literal["dropoutnet", "heater", "heater-validation"]
Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def read_citeulike(folder: Path, *, split: Cut = "dropoutnet", tags: bool = True) -> Dataset:
    """Papers with titles, with `tags` also with people's tags, and one of the published cuts as undated clicks.

    A paper's number is its line in `titles.txt`, from 0, and a person's that in `users.dat`. DropoutNet's pairs count both from 1, and
    so do both lists of cold papers; Heater's pairs count from 0. The candidates are the papers of the list; for "heater-validation", which
    holds out Heater's validation part, those of that part. Of a paper's tags the first 100 are kept, in the order of the file. Raises
    `InvalidInput` by file and line, and for another `split`.
    """
    if split not in ("dropoutnet", "heater", "heater-validation"):
        raise InvalidInput("split", split, "dropoutnet, heater or heater-validation")
    titles = text_lines(folder / "titles.txt")
    labels = _tags(folder, len(titles)) if tags else [()] * len(titles)
    papers = [Item(str(i), ItemKind.ARTICLE, title=title.strip(), tags=labels[i]) for i, title in enumerate(titles)]
    if split == "dropoutnet":
        cut = folder / "cold-start" / "dropoutnet"
        train, test = (_pairs(cut / f"{part}.csv", len(titles), headed=False, first=1) for part in ("train", "test"))
        cold = _numbers(cut / "cold_items.csv", len(titles))
    else:
        cut = folder / "cold-start" / "heater"
        held = "test" if split == "heater" else "vali"
        train, test = (_pairs(cut / f"{part}.csv", len(titles), headed=True, first=0) for part in ("train", held))
        cold = _numbers(cut / "test_item_ids.csv", len(titles)) if held == "test" else np.unique(test[1])
    for part, wrong in (("held-out papers", np.setdiff1d(test[1], cold)), ("papers of training", np.intersect1d(train[1], cold))):
        if len(wrong):
            raise InvalidInput(str(cut), f"{part} {wrong[:5].tolist()}", "held-out papers that are all among the cold ones, and no others")
    people = int(max(train[0].max(initial=-1), test[0].max(initial=-1))) + 1
    return Dataset(
        name=f"citeulike-a, {split}",
        items=papers,
        events=undated_events(*train),
        order=Order.NONE,
        people_ids=[str(person) for person in range(people)],
        note=NOTE,
        test=undated_events(*test),
        candidates=cold.astype(np.uint32),
    )


def _pairs(path: Path, papers: int, *, headed: bool, first: int) -> Pairs:
    """People and papers, counted from 0, from rows "person,paper"; what stands behind is always 1."""
    names = ["uid", "iid"]
    columns = dict.fromkeys(names, "int64")
    table = read_table(path, columns) if headed else read_table(path, columns | {"one": "int64"}, names=[*names, "one"])
    person, paper = (table[name].to_numpy() - first for name in names)
    wrong = np.flatnonzero((person < 0) | (person >= 1 << 31) | (paper < 0) | (paper >= papers))
    if len(wrong):
        given = tuple(table.iloc[wrong[0]].tolist())
        raise InvalidInput(f"{path}:{wrong[0] + 1 + headed}", given, f"a person from {first}, a paper from {first} to {papers - 1 + first}")
    return person, paper


def _numbers(path: Path, papers: int) -> npt.NDArray[np.int64]:
    """Papers, ascending and counted from 0, from a list that counts from 1."""
    table = read_table(path, {"iid": "int64"}, names=["iid"])
    numbers = table["iid"].to_numpy() - 1
    wrong = np.flatnonzero((numbers < 0) | (numbers >= papers))
    if len(wrong):
        raise InvalidInput(f"{path}:{wrong[0] + 1}", int(numbers[wrong[0]] + 1), f"papers from 1 to {papers}")
    return np.unique(numbers)


def _tags(folder: Path, papers: int) -> list[tuple[str, ...]]:
    names = text_lines(folder / "tags.dat")
    path = folder / "item-tag.dat"
    lines = text_lines(path)
    if len(lines) != papers:
        raise InvalidInput(str(path), f"{len(lines)} lines", f"one for each of the {papers} titles")
    found: list[tuple[str, ...]] = []
    for place, line in enumerate(lines, 1):
        try:
            count, *numbers = map(int, line.split())
            if count != len(numbers) or not all(0 <= number < len(names) for number in numbers):
                raise ValueError
        except ValueError:
            allowed = f"how many tags there are, then their numbers, from 0 to {len(names) - 1}"
            raise InvalidInput(f"{path}:{place}", line, allowed) from None
        found.append(tuple(filter(None, (names[number].strip() for number in numbers)))[:LABELS_LIMIT])
    return found
