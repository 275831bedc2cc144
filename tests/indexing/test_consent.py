"""What people did not allow is nowhere: not in what is learnt, not in what is judged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from worlds import NOW, World, film_id, watched

from indexing.building import Outcome
from indexing.snapshot import read_snapshot
from indexing.twin import judge_twin
from recommender.events import Consent, Event
from recommender.generation import Contents, Generations
from recommender.placements import Placement
from recommender.store import open_store

Worlds = Callable[[], World]

WITHOUT_TRAIN = Consent.PERSONALISE | Consent.MEASURE


def add(world: World, events: list[Event]) -> None:
    with open_store(world.settings.store_path) as store:
        outcomes = store.record_events(events, now=NOW, consent_default=Consent.ALL)
    assert {outcome.message for outcome in outcomes} == {""}


def published(world: World, outcome: Outcome) -> Path:
    return Generations(world.settings.generations_path).root / outcome.manifest.id


def crossing(consent: Consent, *, people: int = 30, since: timedelta = timedelta(days=20)) -> list[Event]:
    """People who watch both tastes in turn, which would blur everything that is learnt."""
    return [
        watched(f"crosser-{person}", film_id(film), NOW - since + timedelta(hours=film, minutes=person), consent=consent)
        for person in range(people)
        for film in range(12)
    ]


def test_events_without_consent_to_train_leave_no_trace_in_what_is_learnt(fresh_world: Worlds) -> None:
    without, mixed, allowed = fresh_world(), fresh_world(), fresh_world()
    add(mixed, crossing(WITHOUT_TRAIN))
    add(allowed, crossing(Consent.ALL))
    folders = [published(world, world.reindex()) for world in (without, mixed, allowed)]
    learnt = ("factors", "item_item_offsets", "item_item_rows", "item_item_weights", "popularity")
    files = [{name: (folder / f"{name}.npy").read_bytes() for name in learnt} for folder in folders]
    assert files[0] == files[1]
    assert all(files[0][name] != files[2][name] for name in ("factors", "item_item_weights", "popularity"))


@pytest.mark.parametrize("refused", [Consent.PERSONALISE, Consent.MEASURE])
def test_events_without_consent_to_personalise_and_measure_are_never_judged(fresh_world: Worlds, refused: Consent) -> None:
    judged = {}
    for consent in (Consent.ALL & ~refused, Consent.ALL):
        world = fresh_world()
        add(world, crossing(consent, since=timedelta(hours=15)))
        with open_store(world.settings.store_path) as store:
            snapshot = read_snapshot(store)
        contents: Contents = Generations(world.settings.generations_path).load(world.outcome.manifest.id).contents
        twin = judge_twin(
            snapshot.catalogue, contents.vectors, contents.has_vector, snapshot.events, world.build, Placement(name="home"), parent=None
        )
        assert twin.comparison is not None
        unwilling = set(np.unique(snapshot.events.person[snapshot.events.consent != Consent.ALL]).tolist())
        judged[consent] = set(twin.comparison.held_out.people.tolist())
        assert not unwilling & judged[consent]
    assert len(judged[Consent.ALL]) > len(judged[Consent.ALL & ~refused])
