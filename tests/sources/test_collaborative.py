"""Fold-in gives the very vector that the trainer itself would give, and its score splits up over the history."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from handmade import HOME, contents_of, engine_of, feed_of, history_of, number_of, rows_in, some_items
from threadpoolctl import threadpool_limits

from recommender.events import EventType
from recommender.feeds import Query, SourceName
from recommender.lists import Lists
from recommender.profile import BuildSettings, Collaborative, EventWeights
from recommender.sources import NO_OPINION, CollaborativeSource, ItemItemSource, Past, whitened

N = 40
EVERY_ROW = np.arange(N, dtype=np.int32)
SETTINGS = Collaborative(factors=8, regularisation=3.0, alpha=7.0, history_decay=1.0)


def pasts_of(matrix: sp.csr_array) -> list[Past]:
    """One history for each row of a matrix of weights."""
    pasts = []
    for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        rows, weights = matrix.indices[start:end].astype(np.int32), matrix.data[start:end].astype(np.float32)
        age = np.arange(len(rows), dtype=np.float32)[::-1]
        pasts.append(Past(matrix.shape[1], rows, weights, age, rows.astype(np.uint32), np.full(len(rows), EventType.LIKE, dtype=np.uint8)))
    return pasts


def random_weights(people: int, *, negative: float) -> sp.csr_array:
    """People by items: up to twelve items each, with weights of many sizes, a share `negative` of them below zero."""
    rng = np.random.default_rng(4)
    dense = rng.gamma(1, 1, (people, N)) * (rng.random((people, N)) < 0.2) * np.where(rng.random((people, N)) < negative, -1, 1)
    dense[:, 0] += 0.5
    return sp.csr_array(dense.astype(np.float32))


@pytest.mark.parametrize("negative", [0.0, 0.3])
def test_fold_in_is_what_implicit_recalculates(negative: float) -> None:
    from implicit.als import AlternatingLeastSquares

    weights = random_weights(60, negative=negative)
    options = {"regularization": SETTINGS.regularisation, "alpha": SETTINGS.alpha, "random_state": 1, "num_threads": 1, "use_gpu": False}
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors=SETTINGS.factors, **options)
        model.fit(sp.csr_matrix(weights), show_progress=False)
        theirs = np.array([model.recalculate_user(person, sp.csr_matrix(weights)[[person]]) for person in range(60)])
    factors = np.asarray(model.item_factors, dtype=np.float32)
    source = CollaborativeSource(whitened(factors, SETTINGS.regularisation), SETTINGS, SETTINGS.alpha)
    scores = np.stack([source.prepare(past, 0).score(EVERY_ROW) for past in pasts_of(weights)])
    expected = theirs.reshape(60, -1) @ factors.T
    assert np.abs(expected).max() > 0.3
    positive = expected > 1e-3
    np.testing.assert_allclose(scores[positive], expected[positive], atol=1e-3)
    assert (scores[expected < -1e-3] == NO_OPINION).all()


def test_scores_fall_apart_into_what_each_liked_item_adds() -> None:
    rng = np.random.default_rng(2)
    settings = Collaborative(history_decay=0.8, regularisation=2.0, alpha=3.0)
    factors = np.abs(rng.normal(size=(N, 8))).astype(np.float32)
    liked, steps = np.array([5, 9, 30]), np.array([2, 1, 0])
    past = Past.of(Query(HOME, 1, history=history_of(*liked)), contents_of(some_items(N)).catalogue, BuildSettings())
    scorer = CollaborativeSource(whitened(factors, 2.0), settings, settings.alpha).prepare(past, 0)
    confidence = 3.0 * EventWeights().like * 0.8**steps
    normal = factors.T @ factors + 2.0 * np.eye(8) + (factors[liked].T * (confidence - 1)) @ factors[liked]
    added = factors @ np.linalg.solve(normal, factors[liked].T) * confidence
    rows = np.flatnonzero((added > 0).all(axis=1)).astype(np.int32)
    assert len(rows) > 5
    np.testing.assert_allclose(scorer.score(rows), added[rows].sum(axis=1), rtol=1e-3)
    places, counts, shares = scorer.causes(rows)
    np.testing.assert_array_equal(counts, 3)
    np.testing.assert_array_equal(places, np.argsort(-added[rows], axis=1))
    np.testing.assert_allclose(shares, added[rows].max(axis=1) / added[rows].sum(axis=1), rtol=1e-3)


def test_items_that_were_never_learnt_are_never_proposed() -> None:
    factors = np.ones((6, 2))
    factors[[2, 4]] = 0
    engine = engine_of(contents_of(some_items(6), factors=factors))
    query = Query(HOME.model_copy(update={"fallback": "none"}), 6, history=history_of(0), sources=frozenset({SourceName.COLLABORATIVE}))
    assert sorted(rows_in(feed_of(engine, query))) == [0, 1, 3, 5]
    only_unlearnt = Query(HOME.model_copy(update={"fallback": "none"}), 6, history=history_of(2), sources=query.sources)
    assert rows_in(feed_of(engine, only_unlearnt)) == []


def test_what_was_disliked_pulls_its_kind_down() -> None:
    factors = [[1, 0.1], [1, 0.0], [0.9, 0.1], [0.1, 1], [0.0, 1], [0.5, 0.5]]
    source = engine_of(contents_of(some_items(6), factors=factors)).sources[1]
    likes = history_of(3)
    both = np.concatenate([history_of(0, type=EventType.DISLIKE), likes])
    catalogue = contents_of(some_items(6)).catalogue
    weights = BuildSettings(event_weights=EventWeights(dislike=-2))
    every = np.arange(6, dtype=np.int32)
    pasts = [Past.of(Query(HOME, 1, history=history), catalogue, weights) for history in (likes, both)]
    before, after = (source.prepare(past, 0).score(every) for past in pasts)
    assert after[1] < before[1]
    assert after[2] < before[2]


def test_item_item_scores_are_the_dense_product() -> None:
    rng = np.random.default_rng(9)
    dense = (rng.normal(size=(N, N)) * (rng.random((N, N)) < 0.3)).astype(np.float32)
    source = ItemItemSource(SourceName.ITEM_ITEM, Lists.of(sp.csr_array(dense)), 0.7)
    pasts = pasts_of(random_weights(20, negative=0.2))
    scores = np.stack([source.prepare(past, 0).score(EVERY_ROW) for past in pasts])
    expected = np.stack([past.decayed(0.7) @ dense[past.rows] for past in pasts])
    wanted = np.where(expected > 1e-6, expected, NO_OPINION)
    # Events that have faded to next to nothing are passed over, which may turn what is next to nothing itself.
    clear = np.abs(expected) > 1e-2
    np.testing.assert_allclose(scores[clear], wanted[clear], rtol=2e-3, atol=5e-3)
    assert (scores > NO_OPINION).any()


def test_item_item_names_what_added_most_and_never_what_was_disliked() -> None:
    weights = np.zeros((5, 5))
    weights[0, 4], weights[1, 4], weights[2, 4] = 0.2, 0.7, -5.0
    contents = contents_of(some_items(5), item_item=weights)
    history = np.concatenate([history_of(2, type=EventType.DISLIKE), history_of(0, 1)])
    past = Past.of(Query(HOME, 1, history=history), contents.catalogue, BuildSettings())
    scorer = engine_of(contents).sources[2].prepare(past, 0)
    [places], [count], [share] = scorer.causes(np.array([4], dtype=np.int32))
    assert past.numbers[places[:count]].tolist() == [number_of(1), number_of(0)]
    assert share == pytest.approx(0.7 / (0.7 + 0.2 * BuildSettings().item_item.history_decay), rel=1e-3)


def test_a_second_step_finds_what_goes_with_what_goes_with_the_history() -> None:
    dense = np.zeros((6, 6), dtype=np.float32)
    dense[0, 1], dense[1, 2], dense[1, 3], dense[2, 4] = 1.0, 0.5, 0.25, 9.0
    source = ItemItemSource(SourceName.ITEM_ITEM, Lists.of(sp.csr_array(dense)), 1.0)
    past = Past.of(Query(HOME, 1, history=history_of(0)), contents_of(some_items(6)).catalogue, BuildSettings())
    scorer, allowed = source.prepare(past, 0), np.ones(6, dtype=np.bool_)
    assert scorer.candidates(allowed, 10).tolist() == [1]
    assert sorted(scorer.further(allowed, 10).tolist()) == [2, 3]
    assert scorer.further(allowed, 1).tolist() == [2]
    allowed[2] = False
    assert scorer.further(allowed, 10).tolist() == [3]
