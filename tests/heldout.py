"""People held out by hand: what each had done, and the rows that each took up afterwards."""

from __future__ import annotations

import numpy as np
from handmade import history_of, number_of
from pyroaring import BitMap

from recommender.judging import HeldOut
from recommender.people import History

CUT = 1_772_000_000_000_000


def held_out(*people: tuple[History, list[int]]) -> HeldOut:
    """People with a history, all of it consumed, and the rows that they took up afterwards."""
    return HeldOut(
        people=np.arange(len(people), dtype=np.uint32),
        histories=[history for history, _ in people],
        consumed=[BitMap(history["item"]) for history, _ in people],
        dismissed=[BitMap() for _ in people],
        targets=[np.array([number_of(row) for row in rows], dtype=np.uint32) for _, rows in people],
        cut=CUT,
    )


def of_both_sides(people: int) -> HeldOut:
    """People of a checkerboard of forty: three items of one side known, two others of it to be found."""
    rng = np.random.default_rng(0)
    chosen = [2 * rng.choice(20, 5, replace=False) + person % 2 for person in range(people)]
    return held_out(*[(history_of(*rows[:3]), rows[3:].tolist()) for rows in chosen])
