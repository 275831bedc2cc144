"""What the times of events tell: real times, an order alone, or nothing."""

from __future__ import annotations

import pytest
from event_rows import Row, table

from recommender.events import EventType
from recommender.order import Order, order_of

LIKE = EventType.LIKE


def people(count: int, times: tuple[int, ...], *, shift: int = 0) -> list[Row]:
    """People with an event at each of `times`, every person `shift` later than the one before."""
    return [(person, item, LIKE, at + shift * person) for person in range(count) for item, at in enumerate(times)]


def test_people_who_begin_at_times_of_their_own_have_real_times() -> None:
    assert order_of(table(*people(30, (5, 9, 40), shift=7))) is Order.TIME


def test_people_who_all_begin_together_have_an_order_alone() -> None:
    assert order_of(table(*people(30, (0, 1, 2)))) is Order.SEQUENCE


def test_people_who_did_all_at_one_time_have_no_order() -> None:
    assert order_of(table(*people(30, (0, 0, 0)))) is Order.NONE
    assert order_of(table(*people(30, (4, 4, 4), shift=5))) is Order.NONE


def test_it_takes_more_than_half_of_the_people() -> None:
    apart = [(100 + person, item, LIKE, 1_000 * (1 + person) + item) for person in range(20) for item in range(2)]
    assert order_of(table(*people(20, (0, 0)), *apart)) is Order.TIME
    assert order_of(table(*people(21, (0, 0)), *apart)) is Order.NONE
    assert order_of(table(*people(20, (0, 1)), *apart)) is Order.TIME
    assert order_of(table(*people(21, (0, 1)), *apart)) is Order.SEQUENCE


@pytest.mark.parametrize(("count", "told"), [(10, Order.TIME), (11, Order.SEQUENCE)])
def test_a_handful_may_well_begin_together(count: int, told: Order) -> None:
    assert order_of(table(*people(count, (0, 1)))) is told


def test_people_with_one_event_say_nothing() -> None:
    single = [(person, 1, LIKE, 0) for person in range(100, 200)]
    assert order_of(table(*single)) is Order.TIME
    assert order_of(table(*single, *people(12, (3, 3)))) is Order.NONE


def test_without_events_nothing_speaks_against_times() -> None:
    assert order_of(table()) is Order.TIME
