"""Which split the data's shape asks for, what each option means, and windows of one size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from event_rows import Row, table

from eval.datasets.dataset import Dataset, undated_events
from eval.material import Material, of_dataset
from eval.splitting import Cutting, split_for, splits_of
from recommender.errors import InvalidInput
from recommender.events import EventType
from recommender.items import Item, ItemKind
from recommender.order import Order
from recommender.profile import BuildSettings

LIKE = EventType.LIKE
DAY = 86_400_000_000


def timed(people: int = 8, steps: int = 6) -> Material:
    """Person p likes items p, p + 1, … of twelve, one a day, each at an hour of the day of their own."""
    rows: list[Row] = [(person, (person + step) % 12, LIKE, DAY * (step + 1) + person) for person in range(people) for step in range(steps)]
    return material(Order.TIME, rows)


def material(order: Order, rows: list[Row], test: bool = False) -> Material:
    items = [Item(f"item-{number}", ItemKind.MEDIA) for number in range(12)]
    held = undated_events(np.array([0, 1]), np.array([11, 11])) if test else None
    return of_dataset(Dataset("tiny", items, table(*rows), order, [f"person-{number}" for number in range(12)], "", test=held))


ROWS: list[Row] = [(person, item, LIKE, item) for person in range(3) for item in range(3)]


def test_the_split_follows_from_the_data() -> None:
    assert split_for(material(Order.NONE, ROWS, test=True), None) == "given"
    assert split_for(material(Order.TIME, ROWS), None) == "time"
    assert split_for(material(Order.SEQUENCE, ROWS), None) == "last"
    with pytest.raises(InvalidInput, match="cold-items, cold-people or random"):
        split_for(material(Order.NONE, ROWS), None)


@pytest.mark.parametrize(
    ("order", "split"),
    [(Order.SEQUENCE, "time"), (Order.NONE, "rolling"), (Order.NONE, "last"), (Order.TIME, "given"), (Order.TIME, "thirds")],
)
def test_a_split_that_the_data_does_not_allow_is_refused(order: Order, split: str) -> None:
    with pytest.raises(InvalidInput, match=f"--split: given '{split}'"):
        split_for(material(order, ROWS), split)


@pytest.mark.parametrize(
    ("cutting", "option"),
    [
        (Cutting(split="last", share=0.2), "--share"),
        (Cutting(split="time", windows=3), "--windows"),
        (Cutting(split="cold-items", reveal=0.2), "--reveal"),
        (Cutting(split="time", known=3), "--known"),
        (Cutting(split="time", among="all"), "--among"),
        (Cutting(split="cold-items", among="some"), "--among"),
        (Cutting(split="impressions", windows=3), "--windows"),
        (Cutting(split="random", cut=DAY), "--cut"),
        (Cutting(split="random", until=DAY), "--until"),
        (Cutting(share=0.0), "--share"),
        (Cutting(share=1.0), "--share"),
        (Cutting(reveal=1.0), "--reveal"),
        (Cutting(cut=DAY, share=0.2), "--share"),
        (Cutting(people=0), "--people"),
        (Cutting(split="rolling", windows=0), "--windows"),
        (Cutting(cut=3 * DAY, until=2 * DAY), "--cut"),
        (Cutting(split="rolling", share=0.1, windows=40), "--windows"),
    ],
)
def test_an_option_out_of_place_or_bounds_is_refused_by_name(cutting: Cutting, option: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{option}: "):
        splits_of(timed(), BuildSettings(), cutting)


def test_an_end_before_all_events_leaves_nothing() -> None:
    with pytest.raises(InvalidInput, match="events: given 'none before the end'"):
        splits_of(timed(), BuildSettings(), Cutting(until=DAY - 1))


def test_rolling_windows_follow_each_other_and_hold_equally_many_events() -> None:
    data = timed()
    windows, _ = splits_of(data, BuildSettings(), Cutting(split="rolling", windows=3, share=0.5, reveal=0.0))
    # 48 events, of which the newest 24 are judged: three windows of 8, one a day.
    cuts = [window.held_out.cut for window in windows]
    assert cuts == [4 * DAY, 5 * DAY, 6 * DAY]
    assert [len(window.training) for window in windows] == [24, 32, 40]
    assert [len(window.held_out) for window in windows] == [8, 8, 8]
    for window, end in zip(windows, [*cuts[1:], 7 * DAY], strict=True):
        wanted = data.events.where((data.events.at >= window.held_out.cut) & (data.events.at < end))
        assert [int(items[0]) for items in window.held_out.targets] == wanted.item.tolist()


def test_a_single_window_is_the_split_by_time() -> None:
    one, _ = splits_of(timed(), BuildSettings(), Cutting(split="rolling", windows=1, share=0.3))
    other, _ = splits_of(timed(), BuildSettings(), Cutting(split="time", share=0.3))
    assert np.array_equal(one[0].held_out.people, other[0].held_out.people)
    assert np.array_equal(one[0].training.at, other[0].training.at)


def test_at_most_so_many_people_are_judged_in_each_window() -> None:
    windows, _ = splits_of(timed(), BuildSettings(), Cutting(split="rolling", windows=2, people=3))
    assert [len(window.held_out) for window in windows] == [3, 3]
    last, _ = splits_of(timed(), BuildSettings(), Cutting(split="last", people=3))
    assert len(last[0].held_out) == 3


def test_cold_items_are_ranked_among_themselves_unless_all_are_asked_for() -> None:
    cold, _ = splits_of(timed(), BuildSettings(), Cutting(split="cold-items"))
    for candidates, wanted in zip(cold[0].held_out.candidates or [], cold[0].held_out.targets, strict=True):
        assert set(wanted) <= set(candidates)
    among_all, _ = splits_of(timed(), BuildSettings(), Cutting(split="cold-items", among="all"))
    assert among_all[0].held_out.candidates is None
    assert np.array_equal(among_all[0].held_out.people, cold[0].held_out.people)


AGAIN: list[Row] = [(person, 0, LIKE, DAY * step + person) for person in range(4) for step in range(6)]


@pytest.mark.parametrize("split", ["time", "rolling", "last", "cold-people"])
def test_what_was_had_before_is_judged_where_it_may_be_shown(split: str) -> None:
    data = material(Order.TIME, [*AGAIN, (9, 1, LIKE, 0), (9, 2, LIKE, DAY * 6)])
    options = {"rolling": Cutting(windows=1), "cold-people": Cutting(known=1, share=0.6)}
    cutting = replace(options.get(split, Cutting()), split=split)
    windows, _ = splits_of(data, BuildSettings(), cutting, repeats=True)
    assert any(0 in wanted for wanted in windows[0].held_out.targets)


def test_a_given_test_part_is_judged_whole_where_what_was_had_may_be_shown() -> None:
    data = material(Order.NONE, [(0, 11, LIKE, 0), (1, 3, LIKE, 0)], test=True)
    new, _ = splits_of(data, BuildSettings(), Cutting())
    assert (len(new[0].held_out), new[0].dropped) == (1, 1)
    all_of_it, _ = splits_of(data, BuildSettings(), Cutting(), repeats=True)
    assert (len(all_of_it[0].held_out), all_of_it[0].dropped) == (2, 0)


def test_times_that_stand_for_places_are_nobodys_now() -> None:
    sequences, _ = splits_of(material(Order.SEQUENCE, ROWS), BuildSettings(), Cutting())
    assert sequences[0].held_out.moments is None
    real, _ = splits_of(timed(), BuildSettings(), Cutting(split="last"))
    assert real[0].held_out.moments is not None
