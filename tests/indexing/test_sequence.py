"""A transformer learns what comes next, and is served as it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from indexing.apart import done_apart
from indexing.learn import sequence
from indexing.learn.sequence import sequence_model, settings_of_parts
from recommender.events import Consent, EventType
from recommender.profile import BuildSettings, Sequence
from recommender.sequence_model import ARRAYS, SequenceModel

ITEMS = 20
SMALL = Sequence(factors=16, heads=2, length=8, passes=80, negatives=30, learning_rate=0.01, dropout=0.1, fewest=10)
NONE = float("nan")

pytestmark = pytest.mark.usefixtures("learnt_here")

Rows = list[tuple[int, int, EventType, float, float]]


def going_round(people: int = 60, length: int = 9) -> Rows:
    """Each person reads item after item in the order of their numbers, from another one on; after the last comes the first."""
    return [(person, 1 + (person + day) % ITEMS, EventType.READ, float(day), NONE) for person in range(people) for day in range(length)]


def learnt(tables: Any, rows: Rows, options: Sequence = SMALL, *, seed: int = 0, items: int = ITEMS) -> SequenceModel:
    return sequence_model(tables.events(rows), tables.catalogue(items), BuildSettings(sequence=options, seed=seed))


def same(one: SequenceModel, other: SequenceModel) -> bool:
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in ARRAYS)


@pytest.fixture(scope="module")
def model(tables: Any) -> SequenceModel:
    return learnt(tables, going_round(), items=ITEMS + 1)


@pytest.mark.parametrize("length", [1, 3, 8, 12])
def test_in_a_world_that_goes_round_the_next_item_is_foreseen(model: SequenceModel, length: int) -> None:
    # All items are equally popular, so that popularity alone would be right once in twenty times.
    for first in range(ITEMS):
        history = ((first + np.arange(length)) % ITEMS).astype(np.int32)
        logits = model.items[:-1] @ model.encode(history) + model.bias[:-1]
        assert logits.argmax() == (first + length) % ITEMS


def test_an_item_that_nobody_has_is_unknown(model: SequenceModel) -> None:
    assert model.known.tolist() == [True] * ITEMS + [False]
    assert model.bias[-1] == 0


def test_scores_are_logarithms_of_chances(tables: Any) -> None:
    # After item 1 half of the people turn to item 2, a quarter to 3 and a quarter to 4; draws by popularity change nothing of it.
    rows = [(p, i, EventType.READ, float(d), NONE) for p in range(400) for d, i in enumerate((1, (2, 2, 3, 4)[p % 4]))]
    options = SMALL.model_copy(update={"passes": 150, "dropout": 0.0, "negatives": 100})
    model = learnt(tables, rows, options, items=4)
    logits = model.items @ model.encode(np.array([0], dtype=np.int32)) + model.bias
    chances = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(chances, [0, 1 / 2, 1 / 4, 1 / 4], atol=0.05)


@pytest.mark.parametrize(("blocks", "heads", "factors"), [(0, 1, 8), (1, 2, 16), (3, 4, 8), (2, 3, 7)])
def test_what_is_served_is_what_was_trained(blocks: int, heads: int, factors: int) -> None:
    import torch

    from indexing.learn.next_item import NextItem

    options = Sequence(factors=factors, blocks=blocks, heads=heads, length=7)
    width = -(-factors // heads) * heads
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        trained = NextItem(np.random.default_rng(0).normal(size=(12, width)).astype(np.float32), options).eval()
        for values in (trained.items, trained.bias, *trained.parameters()):
            values += 0.3 * torch.randn(values.shape)
        rows = np.arange(0, 24, 2)
        served = trained.served(rows, 24)
        for length in (1, 2, 7):
            history = np.random.default_rng(length).choice(12, length, replace=False)
            # Nothing at the front, as where histories of several lengths are read together.
            padded = np.concatenate([np.full(7 - length, 12), history])
            asked = served.encode(rows[history].astype(np.int32))
            np.testing.assert_allclose(asked, trained(torch.from_numpy(padded)[None], trained.items)[0, -1].numpy(), rtol=5e-3, atol=5e-3)
            np.testing.assert_allclose(asked, trained(torch.from_numpy(history)[None], trained.items)[0, -1].numpy(), rtol=5e-3, atol=5e-3)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tables: Any, model: SequenceModel) -> None:
    import torch

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    assert same(learnt(tables, going_round(), items=ITEMS + 1), model)
    assert not same(learnt(tables, going_round(), items=ITEMS + 1, seed=1), model)
    # Nobody else's draws and threads are touched.
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_is_learnt_without_order(tables: Any) -> None:
    rows = [(person, item, kind, 0.0, value) for person, item, kind, _, value in going_round()]
    assert not learnt(tables, rows).known.any()


@pytest.mark.parametrize("fewest", [480, 481])
def test_nothing_is_learnt_from_fewer_next_items_than_asked_for(tables: Any, fewest: int) -> None:
    # Sixty people with eight next items each.
    options = SMALL.model_copy(update={"fewest": fewest, "passes": 1})
    assert learnt(tables, going_round(), options).known.any() == (fewest == 480)


def test_nothing_is_learnt_from_nobody(tables: Any) -> None:
    assert learnt(tables, []).items.shape == (ITEMS, 0)
    assert learnt(tables, [(1, 1, EventType.READ, 0.0, NONE)], SMALL.model_copy(update={"fewest": 1})).items.shape == (ITEMS, 0)


def test_what_was_disliked_in_the_end_is_not_learnt(tables: Any) -> None:
    rows = [*going_round(), *((person, ITEMS + 1, EventType.DISLIKE, 20.0, NONE) for person in range(60))]
    assert learnt(tables, rows, SMALL.model_copy(update={"passes": 1}), items=ITEMS + 1).known.tolist() == [True] * ITEMS + [False]


def foreseen(model: SequenceModel) -> int:
    """How many of the items that follow each item are foreseen in the world that goes round."""
    logits = [model.items[:ITEMS] @ model.encode(np.array([item], dtype=np.int32)) + model.bias[:ITEMS] for item in range(ITEMS)]
    return sum(int(line.argmax() == (item + 1) % ITEMS) for item, line in enumerate(logits))


def test_where_not_all_can_be_learnt_from_a_model_goes_on_from_an_earlier_one(tables: Any, model: SequenceModel) -> None:
    few = BuildSettings(sequence=SMALL.model_copy(update={"most_tokens": 480, "later_share": 0.1, "learning_rate": 1e-4}))
    events, catalogue = tables.events(going_round()), tables.catalogue(ITEMS + 1)

    alone = sequence_model(events, catalogue, few)
    later = sequence_model(events, catalogue, few, earlier=model)

    assert foreseen(later) == ITEMS
    assert foreseen(alone) < ITEMS


def test_an_earlier_model_makes_no_difference_where_all_can_be_learnt_from_or_it_has_other_measures(
    tables: Any, model: SequenceModel
) -> None:
    events, catalogue = tables.events(going_round()), tables.catalogue(ITEMS + 1)
    assert same(sequence_model(events, catalogue, BuildSettings(sequence=SMALL), earlier=model), model)
    wider = BuildSettings(sequence=SMALL.model_copy(update={"factors": 32, "most_tokens": 480}))
    assert sequence_model(events, catalogue, wider, earlier=model).items.shape == (ITEMS + 1, 32)


@pytest.mark.parametrize("blocks", [0, 2])
def test_a_model_that_starts_from_an_earlier_one_is_that_one_before_it_learns(blocks: int) -> None:
    import torch

    from indexing.learn.next_item import NextItem

    options, rng = Sequence(factors=8, blocks=blocks, heads=2, length=7), np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        trained = NextItem(rng.normal(size=(12, 8)).astype(np.float32), options).eval()
        for values in (trained.items[:-1], trained.bias[:-1], *trained.parameters()):
            values += 0.3 * torch.randn(values.shape)
        earlier = trained.served(np.arange(0, 24, 2), 24)
        # Of the thirteen items one is new.
        start = rng.normal(size=(13, 8)).astype(np.float32)
        later = NextItem(start, options).eval()
        assert later.start_from(earlier, np.array([*range(0, 24, 2), 1]))
        history = torch.tensor([[3, 1, 4]])
        np.testing.assert_allclose(later(history, later.items).numpy(), trained(history, trained.items).numpy(), rtol=5e-3, atol=5e-3)
        np.testing.assert_array_equal(later.bias[:12], trained.bias[:12])
        np.testing.assert_array_equal(later.items[12], start[12])
        assert not NextItem(start, options.model_copy(update={"length": 6})).start_from(earlier, np.arange(13))


def reading(most_tokens: int, passes: int) -> tuple[int, int]:
    """How many next items are read in how many passes, of ten people with one to ten next items: 55."""
    visits = np.arange(2, 12)
    person, item = np.repeat(np.arange(10), visits), np.arange(visits.sum())
    people = sequence._People.of(person, item, 50)
    within, allowed = sequence._within(people, Sequence(most_tokens=most_tokens, passes=passes), np.random.default_rng(0))
    read = list(within.read(np.random.default_rng(0), allowed))
    assert len(read) == allowed * len(within.batches())
    assert all((batch[1][batch[1] >= 0] - batch[0][batch[0] >= 0] == 1).all() for batch in read)
    return sum(int((batch[1] >= 0).sum()) for batch in read), allowed


def test_all_is_read_as_often_as_allowed() -> None:
    assert reading(10**6, 3) == (165, 3)
    assert reading(164, 3) == (110, 2)
    assert reading(55, 3) == (55, 1)
    tokens, passes = reading(30, 3)
    assert (0 < tokens <= 30, passes) == (True, 1)


def test_only_the_newest_next_items_of_a_person_are_read() -> None:
    people = sequence._People.of(np.zeros(9, dtype=np.int64), np.arange(9), 3)
    [(items, targets)] = people.read(np.random.default_rng(0), 1)
    assert (items.tolist(), targets.tolist()) == ([[5, 6, 7]], [[6, 7, 8]])


def test_batches_hold_as_much_as_they_may_and_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "BATCH_TOKENS", 40)
    visits = np.random.default_rng(0).integers(1, 60, 200)
    people = sequence._People.of(np.repeat(np.arange(200), visits), np.arange(visits.sum()), 50)
    read = list(people.read(np.random.default_rng(0), 1))
    assert all(items.size <= 40 or len(items) == 1 for items, _ in read)
    assert sum(int((targets >= 0).sum()) for _, targets in read) == np.minimum(visits - 1, 50).sum()


def test_the_model_is_the_same_once_it_was_written(tmp_path: Path, model: SequenceModel) -> None:
    from dataclasses import replace

    from handmade import contents_of, some_items

    from recommender.generation import Contents

    replace(contents_of(some_items(ITEMS + 1)), sequence=model).write(tmp_path)
    loaded = Contents.read(tmp_path).sequence
    assert same(loaded, model)
    assert loaded.heads == model.heads


def test_parts_of_events_have_a_model_where_the_whole_has_one(tables: Any) -> None:
    # Sixty people, of whose next items eight each are learnt from.
    catalogue = tables.catalogue(ITEMS)
    enough, too_few = (BuildSettings(sequence=SMALL.model_copy(update={"fewest": fewest})) for fewest in (480, 481))
    assert settings_of_parts(tables.events(going_round()), catalogue, enough).sequence.fewest == 1
    assert settings_of_parts(tables.events(going_round()), catalogue, too_few) == too_few
    withheld = tables.events(going_round(), consent=Consent.PERSONALISE)
    assert settings_of_parts(withheld, catalogue, enough) == enough


def test_the_usual_total_is_that_after_usual_histories(model: SequenceModel) -> None:
    # Everybody's newest eight of nine items are read.
    histories = [((person + 1 + np.arange(8)) % ITEMS).astype(np.int32) for person in range(60)]
    assert model.usual == pytest.approx(np.mean([model.total(history) for history in histories]), rel=1e-4)
    assert model.usual != 0


def test_a_process_of_its_own_learns_the_same(tables: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    few = SMALL.model_copy(update={"passes": 2})
    with threadpool_limits(1, "blas"):
        here = learnt(tables, going_round(), few)
    asked: list[str] = []

    def apart(what: str, *given: Any) -> SequenceModel:
        asked.append(what)
        return done_apart(what, *given)

    monkeypatch.setattr(sequence, "done_apart", apart)

    assert same(learnt(tables, going_round(), few), here)
    assert asked == ["the sequence model"]
