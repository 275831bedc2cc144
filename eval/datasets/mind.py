"""Microsoft News, MIND: `behaviors.tsv`, what each person was shown and clicked when, and `news.tsv`, what the news were.

The full sets come as two such folders, of which the second is held out.

Wu et al., "MIND: A Large-scale Dataset for News Recommendation", ACL 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from eval.datasets.dataset import SECOND_US, Dataset, clicks
from eval.datasets.impressions import Impressions
from eval.datasets.text_lines import text_lines
from recommender.errors import InvalidInput
from recommender.items import Item, ItemKind
from recommender.order import Order
from recommender.times import from_micros, to_micros

NOTE = "MIND, Microsoft Research (https://msnews.github.io/): Microsoft Research License Terms, non-commercial research only."

_TIME = "%m/%d/%Y %I:%M:%S %p"
_BEHAVIOUR = "five fields separated by tabs: id, user, time, history, impressions such as N1-1 N2-0"
_NEWS = "fields separated by tabs: id, category, subcategory, title, and then mostly abstract, address and entities"


@dataclass(frozen=True, eq=False)
class _Behaviours:
    """The rows of behaviors.tsv by column; `histories` and `shown` as words."""

    people: list[str]
    at: npt.NDArray[np.int64]
    histories: list[list[str]]
    shown: list[list[str]]


def read_mind(folder: Path) -> Dataset:
    """News seen anywhere in the folder as articles, clicks as events, and every impression in order of time.

    Item numbers follow the ids in alphabetical order, person numbers too. `news.tsv` may lack news or be absent; these have an id alone.
    Times are taken as UTC; the set does not say. When the news in a person's history were clicked is not known, only in which order: they
    become clicks in steps of one second that end one second before the person's first impression. So they are known at every impression
    of that person, as the set means them, but counters of recent clicks had better take their clicks from `impressions`, where all times
    are real. Of several histories of one person that of the first impression holds. Raises `InvalidInput` by file and line.
    """
    return _read([folder], folder.resolve().name)


def read_mind_parts(train: Path, dev: Path, name: str) -> Dataset:
    """Two folders as one set, read as `read_mind` does, whose impressions of `dev` are marked as those that are judged.

    Raises `InvalidInput` by file and line, and where `dev` holds an impression that is older than the newest of `train`: what was learnt
    from would then be of later than what is judged.
    """
    return _read([train, dev], name)


def _read(folders: Sequence[Path], name: str) -> Dataset:
    parts = [_behaviours(folder / "behaviors.tsv") for folder in folders]
    if len(parts) > 1 and int(parts[1].at.min()) < int(parts[0].at.max()):
        given = f"an impression of {from_micros(int(parts[1].at.min())).isoformat()}"
        raise InvalidInput(str(folders[1] / "behaviors.tsv"), given, "impressions none of which is older than those learnt from")
    rows = _Behaviours(
        list(chain.from_iterable(part.people for part in parts)),
        np.concatenate([part.at for part in parts]),
        list(chain.from_iterable(part.histories for part in parts)),
        list(chain.from_iterable(part.shown for part in parts)),
    )
    judged = np.repeat(np.arange(len(parts)) > 0, [len(part.people) for part in parts])
    told: dict[str, Item] = {}
    for folder in folders:
        told |= _news(folder / "news.tsv")
    order = np.argsort(rows.at, kind="stable")
    person, people = pd.factorize(np.array(rows.people, dtype=object), sort=True)
    person, at = person[order], rows.at[order]
    shown = [rows.shown[row] for row in order]
    words = list(chain.from_iterable(shown))
    _, first = np.unique(person, return_index=True)
    histories = [rows.histories[order[row]] for row in first]
    old = list(chain.from_iterable(histories))
    number, ids = pd.factorize(np.array([word[:-2] for word in words] + old + list(told), dtype=object), sort=True)
    lengths = np.fromiter(map(len, shown), dtype=np.int64, count=len(shown))
    clicked = np.fromiter((word[-1] == "1" for word in words), dtype=np.bool_, count=len(words))
    item, known = number[: len(words)], number[len(words) : len(words) + len(old)]
    sizes = np.fromiter(map(len, histories), dtype=np.int64, count=len(histories))
    steps_left = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(old))
    return Dataset(
        name=name,
        items=[told.get(news) or Item(news, ItemKind.ARTICLE) for news in ids],
        events=clicks(
            np.append(np.repeat(np.arange(len(people)), sizes), np.repeat(person, lengths)[clicked]),
            np.append(known, item[clicked]),
            np.append(np.repeat(at[first], sizes) - SECOND_US * steps_left, np.repeat(at, lengths)[clicked]),
        ),
        order=Order.TIME,
        people_ids=list(people),
        note=NOTE,
        impressions=Impressions(
            person=person.astype(np.uint32),
            at=at,
            offsets=np.append(0, np.cumsum(lengths)),
            item=item.astype(np.uint32),
            clicked=clicked,
            judged=judged[order] if len(parts) > 1 else None,
        ),
    )


def _behaviours(path: Path) -> _Behaviours:
    people, at, histories, shown = [], [], [], []
    for place, line in enumerate(text_lines(path), 1):
        fields = line.split("\t")
        if len(fields) != 5 or not fields[1]:
            raise InvalidInput(f"{path}:{place}", line, _BEHAVIOUR)
        words = fields[4].split()
        if not words or not all(word.endswith(("-0", "-1")) and len(word) > 2 for word in words):
            raise InvalidInput(
                f"{path}:{place}", fields[4], "shown news with a mark, such as N1-1 N2-0; those of the public test set have none"
            )
        people.append(fields[1])
        at.append(_micros(fields[2], f"{path}:{place}"))
        histories.append(fields[3].split())
        shown.append(words)
    if not people:
        raise InvalidInput(str(path), "no line", _BEHAVIOUR)
    return _Behaviours(people, np.array(at, dtype=np.int64), histories, shown)


def _micros(text: str, field: str) -> int:
    try:
        return to_micros(datetime.strptime(text, _TIME).replace(tzinfo=UTC))
    except ValueError as error:
        raise InvalidInput(field, text, "a time such as 11/13/2019 8:36:57 AM") from error


def _news(path: Path) -> dict[str, Item]:
    if not path.exists():
        return {}
    found: dict[str, Item] = {}
    for place, line in enumerate(text_lines(path), 1):
        fields = line.split("\t")
        if len(fields) < 4:
            raise InvalidInput(f"{path}:{place}", line, _NEWS)
        if fields[0] in found:
            raise InvalidInput(f"{path}:{place}", fields[0], "one line for each id")
        name, category, subcategory, title, abstract = (*fields[:4], fields[4] if len(fields) > 4 else "")
        try:
            found[name] = Item(
                name, ItemKind.ARTICLE, title=title, text=abstract, language="en", categories=tuple(filter(None, (category, subcategory)))
            )
        except InvalidInput as error:
            raise InvalidInput(f"{path}:{place}: {error.field}", error.given, error.allowed) from error
    return found
