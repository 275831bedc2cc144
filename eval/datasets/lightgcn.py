"""Sets in LightGCN's format, such as Gowalla, Yelp2018 and Amazon-Book: `train.txt` and `test.txt`, a user and then items on each line.

He, Deng, Wang, Li, Zhang and Wang, "LightGCN", SIGIR 2020. The order inside a line is not time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eval.datasets.dataset import Dataset, undated_events
from eval.datasets.text_lines import numbered_lines
from recommender.distinct import distinct
from recommender.items import Item, ItemKind
from recommender.order import Order

NOTE = (
    "In the format of LightGCN; the full sets lie at https://github.com/gusye1234/LightGCN-PyTorch/tree/master/data. "
    "Gowalla: SNAP, Stanford (https://snap.stanford.edu/data/loc-gowalla.html), no licence stated."
)


def read_lightgcn(folder: Path) -> Dataset:
    """Both parts as undated clicks, each pair of a user and an item once within its part.

    Numbers are places among the sorted numbers of both files, so they equal the files' where those have no gaps; ids are the files'
    numbers. A user whose line names no item is known and has no event. Raises `InvalidInput` by file and line.
    """
    train, test = (numbered_lines(folder / f"{part}.txt") for part in ("train", "test"))
    people = distinct(train.first, test.first)
    items = distinct(train.rest, test.rest)
    learnt, held = (undated_events(np.searchsorted(people, part.owner), np.searchsorted(items, part.rest)) for part in (train, test))
    return Dataset(
        name=folder.resolve().name,
        items=[Item(str(number), ItemKind.PRODUCT) for number in items.tolist()],
        events=learnt,
        order=Order.NONE,
        people_ids=[str(number) for number in people.tolist()],
        note=NOTE,
        test=held,
    )
