from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from recommender.errors import InvalidInput
from recommender.events import Subject
from recommender.store import Decision, Store


def assert_same(one: Decision | None, other: Decision) -> None:
    assert one is not None
    for name in other.__dataclass_fields__:
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(right, np.ndarray):
            assert (left.dtype, left.tolist()) == (right.dtype, right.tolist()), name
        else:
            assert left == right, name


def test_a_decision_reads_back_as_it_was_given(store: Store, decision: Decision) -> None:
    nobody = replace(decision, id=b"n" * 16, subject=None, seed=0, query=b"")
    store.record_decisions([decision, nobody])
    assert_same(store.get_decision(decision.id), decision)
    assert_same(store.get_decision(nobody.id), nobody)
    assert store.get_decision(b"?" * 16) is None


def test_decisions_of_many_days_are_found(store: Store, decision: Decision) -> None:
    many = [
        replace(decision, id=place.to_bytes(16, "big"), at=decision.at - timedelta(days=place % 5), change=place) for place in range(50)
    ]
    store.record_decisions(many)
    assert store.counts().decisions == 50
    for each in many:
        assert_same(store.get_decision(each.id), each)


def test_a_decision_that_is_written_again_is_left_as_it_is(store: Store, decision: Decision) -> None:
    store.record_decisions([decision])
    store.record_decisions([replace(decision, placement="other"), replace(decision, id=b"n" * 16)])
    assert_same(store.get_decision(decision.id), decision)
    assert store.counts().decisions == 2


def test_no_decisions_are_no_work(store: Store) -> None:
    store.record_decisions([])
    assert store.counts().decisions == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": b"short"}, "decision.id"),
        ({"seed": 2**64}, "decision.seed"),
        ({"seed": -1}, "decision.seed"),
        ({"sources": np.zeros(2, dtype=np.uint8)}, "decision.numbers"),
    ],
)
def test_a_decision_checks_itself(decision: Decision, changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        replace(decision, **changes)  # type: ignore[arg-type]


def test_decisions_do_not_touch_people_or_the_sequence(shop: Store, now: datetime, decision: Decision) -> None:
    before = shop.change_sequence()
    shop.record_decisions([decision])
    assert shop.change_sequence() == before
    assert not shop.read_person(Subject.user("ann")).known
