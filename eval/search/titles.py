"""How often a title finds its item: as it stands, and with one slip of the hand, by the engine that serves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

import numpy as np

from recommender.engine import Recommender
from recommender.feeds import Query
from recommender.judging import bootstrap_mean
from recommender.placements import Placement
from recommender.search.word_index import title_keys

FIRST = 10
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 "
SLIPS = ("another letter", "a letter left out", "a letter too many", "neighbours exchanged")
PLACEMENT = Placement(name="titles", repeat="allowed", fallback="none")


@dataclass(frozen=True)
class Asked:
    """A title as it is typed for the item of a `row`."""

    row: int
    typed: str


def misspelt(title: str, rng: np.random.Generator) -> tuple[str, str]:
    """`title` with one slip at any place, the first letter as likely as any other, and which of `SLIPS` it is.

    The kind is drawn, then the place; what comes of it is another text than before, unless all its letters are the same.
    """
    kind = int(rng.integers(len(SLIPS)))
    place = int(rng.integers(len(title) + (kind == 2)))
    before, after = title[:place], title[place:]
    if kind == 0:
        others = [letter for letter in LETTERS if letter != title[place].lower()]
        return before + others[rng.integers(len(others))] + after[1:], SLIPS[kind]
    if kind == 1:
        return before + after[1:], SLIPS[kind]
    if kind == 2:
        return before + LETTERS[rng.integers(len(LETTERS))] + after, SLIPS[kind]
    differing = [at for at in range(len(title) - 1) if title[at] != title[at + 1]]
    if not differing:
        return title[1:] or title * 2, SLIPS[1]
    at = differing[rng.integers(len(differing))]
    return title[:at] + title[at + 1] + title[at] + title[at + 2 :], SLIPS[kind]


def measure_titles(engine: Recommender, *, now: datetime, seed: int, most: int) -> list[dict[str, Any]]:
    """For titles as they stand and without what is added in brackets, exact and misspelt: recall among the first one and `FIRST`, with 95 %
    intervals over titles, of at most `most` items, drawn with `seed`. Items of the very same title stand for each other.

    What is nothing but spaces after a slip is not typed.
    """
    catalogue = engine.contents.catalogue
    live = np.flatnonzero(engine.eligibility.live[: catalogue.n])
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(live, min(most, len(live)), replace=False))
    keys = [title_keys(title) for title in catalogue.titles_at(np.arange(catalogue.n))]
    titles = catalogue.titles_at(rows)
    whole = [Asked(row, title) for row, title in zip(rows.tolist(), titles, strict=True) if keys[row]]
    short = [Asked(asked.row, keys[asked.row][min(1, len(keys[asked.row]) - 1)]) for asked in whole]
    lines = []
    for label, asked, at in (("as they stand", whole, 0), ("without what is in brackets", short, 1)):
        same: dict[str, set[int]] = {}
        for row, own in enumerate(keys):
            if own:
                same.setdefault(own[min(at, len(own) - 1)], set()).add(row)
        of = [same[keys[each.row][min(at, len(keys[each.row]) - 1)]] for each in asked]
        slipped = [Asked(each.row, misspelt(each.typed, rng)[0]) for each in asked]
        for spelt, typed in (("exact", asked), ("one slip", slipped)):
            lines.append({"titles": label, "typed": spelt, **_line(engine, typed, of, now, seed)})
    return lines


def _line(engine: Recommender, asked: list[Asked], of: list[set[int]], now: datetime, seed: int) -> dict[str, Any]:
    first, among, spent = [], [], []
    missed = []
    for each, same in zip(asked, of, strict=True):
        if not each.typed.strip():
            continue
        started = time.process_time()
        [feed] = engine.feeds([Query(PLACEMENT, FIRST, text=each.typed.strip())], now=now)
        spent.append(time.process_time() - started)
        found = engine.catalogue.rows_of(feed.numbers).tolist()
        first.append(float(bool(found) and found[0] in same))
        among.append(float(not same.isdisjoint(found)))
        if not among[-1]:
            missed.append(each.typed)
    figures: dict[str, Any] = {"count": len(spent), "ms": 1e3 * median(spent), "missed": missed[:20]}
    for name, values in (("recall@1", first), (f"recall@{FIRST}", among)):
        mean = bootstrap_mean(np.array(values), np.random.default_rng(seed))
        figures[name] = {"mean": mean.mean, "low": mean.low, "high": mean.high}
    return figures
