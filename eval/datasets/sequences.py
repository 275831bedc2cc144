"""Sets in S3-Rec's format, such as Amazon Beauty and Toys: one user a line, then items, oldest first.

Zhou, Wang, Zhao, Zhu, Wang, Zhang, Wang and Wen, "S3-Rec", CIKM 2020. Nothing is held out here: the protocol is leave last out.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from eval.datasets.dataset import SECOND_US, UNDATED, Dataset, clicks
from eval.datasets.text_lines import content_of, numbered_lines
from recommender.distinct import distinct
from recommender.errors import InvalidInput
from recommender.items import LABELS_LIMIT, Item, ItemKind
from recommender.order import Order

NOTE = (
    "In the format of S3-Rec, from https://github.com/RUCAIBox/CIKM2020-S3Rec/tree/master/data; made of the Amazon reviews of McAuley "
    "et al. (https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html), no licence stated."
)


def read_sequences(folder: Path, name: str = "") -> Dataset:
    """The set `name` of the folder: `name.txt`, and `name_item2attributes.json` where it is there; without `name` the only set.

    Numbers are places among the sorted numbers of the file, ids are the file's numbers. Attributes are numbers too and become
    categories of the item, the first 100 at most; those of items that nobody has are left out. Raises `InvalidInput` by file and line.
    """
    name = name or _only_set(folder)
    lines = numbered_lines(folder / f"{name}.txt")
    people, items = distinct(lines.first), distinct(lines.rest)
    attributes = _attributes(folder / f"{name}_item2attributes.json")
    return Dataset(
        name=name,
        items=[Item(str(number), ItemKind.PRODUCT, categories=attributes.get(str(number), ())) for number in items.tolist()],
        events=clicks(np.searchsorted(people, lines.owner), np.searchsorted(items, lines.rest), UNDATED + SECOND_US * lines.step),
        order=Order.SEQUENCE,
        people_ids=[str(number) for number in people.tolist()],
        note=NOTE,
    )


def _only_set(folder: Path) -> str:
    names = sorted(path.stem for path in folder.glob("*.txt"))
    if len(names) != 1:
        raise InvalidInput("name", "", f"the name of one of the sets in {folder}: {', '.join(names) or 'there is none'}")
    return names[0]


def _attributes(path: Path) -> dict[str, tuple[str, ...]]:
    if not path.exists():
        return {}
    allowed = 'an object of lists of numbers by item, such as {"4": [1, 2]}'
    try:
        given = json.loads(content_of(path))
    except ValueError as error:
        raise InvalidInput(str(path), str(error), allowed) from error
    if not isinstance(given, dict):
        raise InvalidInput(str(path), type(given).__name__, allowed)
    for item, labels in given.items():
        if not isinstance(labels, list) or not all(type(label) is int for label in labels):
            raise InvalidInput(f"{path}: {item}", labels, allowed)
    return {item: tuple(str(label) for label in labels[:LABELS_LIMIT]) for item, labels in given.items()}
