"""The transformer as it is served: what it reads, what its scores mean, and which arrays it refuses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from handmade import HOME, contents_of, engine_of, feed_of, history_of, sequence_of, some_items

from recommender.engine import Recommender
from recommender.events import EventType
from recommender.feeds import Query, SourceName
from recommender.people import History
from recommender.sequence_kernels import gelu
from recommender.sequence_model import SequenceModel
from recommender.sources import NO_OPINION, Past, SequenceSource

N = 30
EVERY_ROW = np.arange(N, dtype=np.int32)


def some_model(*, blocks: int = 2, d: int = 8, heads: int = 2, length: int = 6) -> SequenceModel:
    """Random arrays of every kind; the last three items are unknown."""
    rng = np.random.default_rng(4)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(scale=0.4, size=shape).astype(np.float32)

    items, bias = drawn(N, d), drawn(N)
    items[-3:] = 0
    return SequenceModel(
        items=items,
        bias=bias,
        positions=drawn(length, d),
        attention=drawn(blocks, d + 1, 4 * d),
        widening=drawn(blocks, d + 1, 4 * d),
        narrowing=drawn(blocks, 4 * d + 1, d),
        norms=drawn(2 * blocks + 1, 2, d),
        heads=heads,
    )


def engine_with(model: SequenceModel) -> Recommender:
    return engine_of(replace(contents_of(some_items(N)), sequence=model))


def scores(model: SequenceModel, history: History) -> np.ndarray:
    engine = engine_with(model)
    past = Past.of(Query(HOME, 1, history=history), engine.contents.catalogue, engine.settings)
    return SequenceSource(model).prepare(past, 0).score(EVERY_ROW)


def test_by_hand_the_newest_item_and_the_mean_of_all_are_added_and_normed() -> None:
    items = np.array([[3, 0, 0, 1], [0, 2, 0, 0], [0, 0, 4, 0]], dtype=np.float32)

    def normed(row: np.ndarray) -> np.ndarray:
        return (row - row.mean()) / np.sqrt(row.var() + 1e-5)

    expected = normed(items[2] + (normed(items[0]) + normed(items[2])) / 2)
    np.testing.assert_allclose(sequence_of(items).encode(np.array([0, 2], dtype=np.int32)), expected, rtol=1e-5, atol=1e-6)


def test_scores_are_chances_to_the_quarter_as_after_a_usual_history() -> None:
    model = replace(some_model(), usual=1.5)
    found = scores(model, history_of(3, 5))
    assert (found[-3:] == NO_OPINION).all()
    logits = (model.items @ model.encode(np.array([3, 5], dtype=np.int32)) + model.bias)[:-3]
    np.testing.assert_allclose(found[:-3] ** 4, np.exp(logits - 1.5), rtol=5e-3)


def test_the_total_is_what_all_chances_sum_to() -> None:
    model = some_model()
    logits = (model.items @ model.encode(np.array([3, 5], dtype=np.int32)) + model.bias)[:-3]
    assert model.total(np.array([3, 5], dtype=np.int32)) == pytest.approx(float(np.log(np.exp(logits).sum())), rel=1e-4)


def test_scores_stay_finite_however_sure_a_model_is() -> None:
    model = some_model()
    assert np.isfinite(scores(replace(model, bias=model.bias + np.float32(1e6)), history_of(3))[:-3]).all()


def test_order_counts() -> None:
    assert (scores(some_model(), history_of(3, 5)) != scores(some_model(), history_of(5, 3)))[:-3].all()


def test_only_the_newest_items_count_that_there_are_positions_for() -> None:
    long, short = scores(some_model(), history_of(9, 8, *range(6))), scores(some_model(), history_of(*range(6)))
    np.testing.assert_array_equal(long, short)
    assert (scores(some_model(), history_of(8, *range(5))) != scores(some_model(), history_of(*range(5))))[:-3].all()


def test_what_was_disliked_or_never_learnt_is_not_read() -> None:
    read = history_of(3, 5)
    for other in (history_of(7, type=EventType.DISLIKE), history_of(N - 1), history_of(N + 50)):
        np.testing.assert_array_equal(scores(some_model(), np.concatenate([other, read])), scores(some_model(), read))


def test_without_blocks_it_goes_by_the_newest_item_alone() -> None:
    model = some_model(blocks=0)
    np.testing.assert_array_equal(scores(model, history_of(3, 5)), scores(model, history_of(9, 5)))


def test_a_model_of_nothing_says_nothing() -> None:
    engine = engine_with(SequenceModel.none(N))
    feed = feed_of(engine, Query(HOME, 10, history=history_of(1, 2), sources=frozenset({SourceName.SEQUENCE})))
    assert not feed.source_ranks.any()
    assert feed.degraded == ()


def test_very_unlikely_items_still_have_a_rank() -> None:
    model = some_model()
    unlikely = model.bias - np.float32(150) * (np.arange(N) == 4)
    assert scores(replace(model, bias=unlikely.astype(np.float32)), history_of(3))[4] > 0


@pytest.mark.parametrize("name", ["bias", "positions", "attention", "widening", "narrowing", "norms"])
def test_arrays_that_do_not_fit_are_refused(name: str) -> None:
    model = some_model()
    with pytest.raises(ValueError, match=f"{name} has shape"):
        replace(model, **{name: getattr(model, name)[..., :-1]})


def test_other_bad_models_are_refused() -> None:
    model = some_model()
    with pytest.raises(ValueError, match="norms is float64, allowed is float32"):
        replace(model, norms=model.norms.astype(np.float64))
    with pytest.raises(ValueError, match="items has shape"):
        replace(model, items=model.items[0])
    with pytest.raises(ValueError, match="at least one row"):
        replace(model, positions=model.positions[:0])
    for heads in (0, 3):
        with pytest.raises(ValueError, match=f"heads is {heads}, allowed is what divides 8"):
            replace(model, heads=heads)


def test_without_an_item_it_reads_as_if_nothing_attended_to_it() -> None:
    model, history = some_model(blocks=1), np.array([4, 9, 2, 7], dtype=np.int32)
    hidden = model.encode_without(model.read(history), np.array([1, 3]))
    np.testing.assert_array_equal(hidden[1], model.encode(history[:-1]))
    # Another item in its place makes no difference where nothing attends to it.
    other = model.encode_without(model.read(np.array([4, 11, 2, 7], dtype=np.int32)), np.array([1]))
    np.testing.assert_allclose(other[0], hidden[0], rtol=1e-5)
    assert not np.allclose(hidden[0], model.encode(history), rtol=1e-3)


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_several_items_are_left_out_together_as_each_alone(blocks: int) -> None:
    model, history = some_model(blocks=blocks), np.array([4, 9, 2, 7, 1, 3, 8], dtype=np.int32)
    together = model.encode_without(model.read(history), np.arange(7))
    for place in range(7):
        np.testing.assert_allclose(together[place], model.encode_without(model.read(history), np.array([place]))[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("blocks", [1, 2])
def test_without_an_item_that_is_too_old_to_be_read_nothing_changes(blocks: int) -> None:
    model, history = some_model(blocks=blocks), np.array([4, 9, 2, 7, 1, 3, 8, 5], dtype=np.int32)
    reading = model.read(history)
    without = model.encode_without(reading, np.arange(7))
    np.testing.assert_array_equal(reading.attention[:2], 0)
    for place in range(7):
        assert np.allclose(without[place], reading.encoded, rtol=1e-5, atol=1e-6) == (place < 2)


def test_what_passes_the_wide_layer_is_weighed_by_the_chance_of_a_smaller_number() -> None:
    given = np.linspace(-30, 30, 6001, dtype=np.float32)
    expected = [x * 0.5 * (1 + math.erf(x / math.sqrt(2))) for x in given.tolist()]
    found = given.reshape(1, -1).copy()
    gelu(found)
    np.testing.assert_allclose(found[0], expected, rtol=3e-7, atol=3e-6)
