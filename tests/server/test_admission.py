"""Who is let in to wait, who is turned away, and what delay is asked for; by clocks that only the tests move."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from server.admission import BURST, BURST_S, PATIENCE, RETRY_LEAST_S, RETRY_MOST_S, RETRY_SPREAD, Admission

THREADS = 2


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def admission(clock: Clock) -> Admission:
    """One that has seen twenty calls of 10 ms each, lets nobody wait for longer than 50 ms, and varies no delay."""
    made = Admission(THREADS, 0.05, clock=clock, chance=lambda: 0.0)
    work_off(made, clock, 20)
    return made


def work_off(admission: Admission, clock: Clock, calls: int, seconds: float = 0.01) -> None:
    for _ in range(calls):
        admission.enter()
    for _ in range(calls):
        clock.now += seconds
        admission.leave()


def fill(admission: Admission, most: int = 10_000) -> int:
    """Let calls in until one is refused; how many are inside then."""
    for _ in range(most):
        if admission.refusal() is not None:
            break
        admission.enter()
    return admission.inside


def let_stand(admission: Admission, clock: Clock) -> None:
    """A full queue that has been full for longer than a burst."""
    fill(admission)
    clock.now += BURST_S


def test_whoever_would_wait_too_long_is_turned_away_by_what_calls_take(admission: Admission, clock: Clock) -> None:
    assert admission.pace == pytest.approx(0.01)
    # A burst may wait 4 × 50 ms, at 10 ms each.
    assert fill(admission) == pytest.approx(4 * 0.05 / 0.01, abs=1)


def test_faster_calls_let_more_wait(clock: Clock) -> None:
    quick, slow = Admission(THREADS, 0.05, clock=clock), Admission(THREADS, 0.05, clock=clock)
    work_off(quick, clock, 100, 0.001)
    work_off(slow, clock, 100, 0.02)
    assert fill(quick) > 3 * fill(slow)


def test_a_queue_that_stands_is_kept_shorter_than_a_burst(admission: Admission, clock: Clock) -> None:
    let_stand(admission, clock)
    assert admission.longest_wait == pytest.approx(0.05)
    for _ in range(15):
        admission.leave()
        admission.enter()
        assert admission.refusal() is not None


def test_once_half_empty_the_queue_may_take_a_burst_again(admission: Admission, clock: Clock) -> None:
    let_stand(admission, clock)
    while admission.inside:
        clock.now += 0.01
        admission.leave()
    assert admission.refusal() is None
    assert admission.longest_wait == pytest.approx(4 * 0.05)


def test_nobody_is_turned_away_while_a_thread_is_free(clock: Clock) -> None:
    slow = Admission(THREADS, 0.05, clock=clock)
    work_off(slow, clock, 5, 3.0)
    assert fill(slow) == THREADS


def test_before_anything_is_known_everybody_is_let_in(clock: Clock) -> None:
    assert fill(Admission(THREADS, 0.05, clock=clock), most=500) == 500


def test_time_without_work_says_nothing_of_what_calls_take(admission: Admission, clock: Clock) -> None:
    clock.now += 3_600
    work_off(admission, clock, 1)
    assert admission.pace == pytest.approx(0.01)


def test_callers_in_a_hurry_are_not_let_in_to_a_wait_that_takes_all_their_time(admission: Admission) -> None:
    for _ in range(500):
        admission.gives(0.04)
    assert admission.longest_wait == pytest.approx(0.04 * PATIENCE, rel=0.01)
    assert fill(admission) == 3


def test_callers_with_all_the_time_wait_no_longer_than_is_allowed(admission: Admission) -> None:
    for _ in range(500):
        admission.gives(None)
        admission.gives(60.0)
    assert admission.longest_wait == pytest.approx(0.05 * BURST)


def test_the_delay_asked_for_is_what_it_takes_to_work_off_what_is_here(admission: Admission, clock: Clock) -> None:
    inside = fill(admission)
    # The first to be turned away was met by `fill`.
    assert admission.refusal() == pytest.approx((inside + 2) * 0.01, rel=0.01)


def test_the_greater_the_overload_the_longer_the_delay(admission: Admission, clock: Clock) -> None:
    fill(admission)
    first = admission.refusal()
    for _ in range(200):
        clock.now += 0.002
        last = admission.refusal()
    assert first is not None
    assert last is not None
    assert last > 3 * first
    clock.now += 60
    later = admission.refusal()
    assert later == pytest.approx(first, rel=0.1), "what was turned away a minute ago is not coming back"


@pytest.mark.parametrize(("seconds", "delay"), [(0.000_1, RETRY_LEAST_S), (30.0, RETRY_MOST_S)])
def test_the_delay_has_bounds(clock: Clock, seconds: float, delay: float) -> None:
    made = Admission(THREADS, 0.000_1, clock=clock, chance=lambda: 0.0)
    work_off(made, clock, 10, seconds)
    fill(made)
    assert made.refusal() == pytest.approx(delay)


def test_delays_differ_so_that_callers_do_not_come_back_together(clock: Clock) -> None:
    chances = iter([0.0, 0.5, 0.999])
    made = Admission(THREADS, 0.001, clock=clock, chance=lambda: next(chances))
    work_off(made, clock, 10, 0.000_5)
    for _ in range(20):
        made.enter()
    delays = [made.refusal() for _ in range(3)]
    assert delays[0] is not None
    assert delays == pytest.approx([RETRY_LEAST_S * (1 + RETRY_SPREAD * chance) for chance in (0.0, 0.5, 0.999)])
    assert not any(math.isnan(delay or math.nan) for delay in delays)
