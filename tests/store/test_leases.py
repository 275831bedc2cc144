"""Turns at what lies outside of the store: one holder at a time, known by a number that grows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from stored import Place

from recommender.errors import Locked
from recommender.store import Lease, Store, open_store

MINUTE = timedelta(minutes=1)


def taken(store: Store, owner: str, now: datetime, purpose: str = "build") -> Lease:
    return store.take_lease("generations", owner=owner, purpose=purpose, now=now, length=MINUTE)


def test_a_lease_has_one_holder_whom_others_are_told(store: Store, now: datetime) -> None:
    assert store.lease("generations") is None
    lease = taken(store, "ann", now)
    assert lease == Lease("generations", 1, "ann", "build", now + MINUTE)
    assert store.lease("generations") == lease
    with pytest.raises(Locked, match=r"another build is running: ann, by a lease .*2026-03-14T12:01:00"):
        taken(store, "bob", now + MINUTE - timedelta(seconds=1), "pruning")


def test_each_taking_has_a_higher_fence_also_after_the_lease_was_given_back(store: Store, now: datetime) -> None:
    for fence in (1, 2, 3):
        lease = taken(store, "ann", now)
        assert lease.fence == fence
        store.release_lease(lease)


def test_leases_of_other_names_are_others(store: Store, now: datetime) -> None:
    taken(store, "ann", now)
    other = store.take_lease("current", owner="bob", purpose="activation", now=now, length=MINUTE)
    assert other.fence == 1


def test_a_lease_that_is_renewed_lasts_and_one_that_is_not_runs_out(store: Store, now: datetime) -> None:
    lease = taken(store, "ann", now)
    assert store.renew_lease(lease, now=now + MINUTE / 2, length=MINUTE)
    with pytest.raises(Locked, match="ann"):
        taken(store, "bob", now + MINUTE)
    assert taken(store, "bob", now + 2 * MINUTE).fence == 2


def test_one_that_has_run_out_may_be_renewed_until_another_one_has_taken_it(store: Store, now: datetime) -> None:
    lease = taken(store, "ann", now)
    assert store.renew_lease(lease, now=now + 5 * MINUTE, length=MINUTE)
    its = taken(store, "bob", now + 10 * MINUTE)
    assert not store.renew_lease(lease, now=now + 10 * MINUTE, length=MINUTE)
    store.release_lease(lease)
    assert store.lease("generations") == its


def test_one_that_was_given_back_cannot_be_renewed(store: Store, now: datetime) -> None:
    lease = taken(store, "ann", now)
    store.release_lease(lease)
    assert not store.renew_lease(lease, now=now, length=MINUTE)


def test_of_many_who_want_it_at_once_one_gets_it(store: Store, place: Place, now: datetime) -> None:
    def attempt(owner: int) -> int | None:
        with open_store(place) as opened:
            try:
                return taken(opened, str(owner), now).fence
            except Locked:
                return None

    with ThreadPoolExecutor(4) as pool:
        assert sorted(fence or 0 for fence in pool.map(attempt, range(8))) == [0] * 7 + [1]
