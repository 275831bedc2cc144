"""Metrics against arithmetic by hand, against loops as textbooks write them, and against trec_eval."""

from __future__ import annotations

from collections.abc import Callable
from math import log2

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.judging import auc, average_precision, hit_rate, ndcg, precision, r_precision, recall, reciprocal_rank

AT_K: dict[str, Callable[..., np.ndarray]] = {
    "recall": recall,
    "precision": precision,
    "hit_rate": hit_rate,
    "ndcg": ndcg,
    "average_precision": average_precision,
    "reciprocal_rank": reciprocal_rank,
    "r_precision": lambda ranked, relevant, k: r_precision(ranked, relevant),
}


def hits(*lines: str) -> np.ndarray:
    """A line such as "x.x" for each list: x where an item is relevant."""
    return np.array([[mark == "x" for mark in line] for line in lines])


def test_recall_by_hand() -> None:
    ranked = hits("x..x.", "....x", ".....")
    assert recall(ranked, np.array([2, 4, 1]), 5).tolist() == [2 / 2, 1 / 4, 0 / 1]
    assert recall(ranked, np.array([2, 4, 1]), 3).tolist() == [1 / 2, 0 / 4, 0 / 1]


def test_precision_by_hand() -> None:
    ranked = hits("x..x.", "....x", ".....")
    assert precision(ranked, np.array([2, 4, 1]), 5).tolist() == [2 / 5, 1 / 5, 0 / 5]
    assert precision(ranked, np.array([2, 4, 1]), 4).tolist() == [2 / 4, 0 / 4, 0 / 4]
    assert precision(ranked, np.array([2, 4, 1]), 10).tolist() == [2 / 10, 1 / 10, 0 / 10]


def test_hit_rate_by_hand() -> None:
    ranked = hits("x..x.", "....x", ".....")
    assert hit_rate(ranked, np.array([2, 4, 1]), 5).tolist() == [1, 1, 0]
    assert hit_rate(ranked, np.array([2, 4, 1]), 4).tolist() == [1, 0, 0]


def test_ndcg_by_hand() -> None:
    ranked = hits("x..x.", "....x", "xx...")
    expected = [
        (1 / log2(2) + 1 / log2(5)) / (1 / log2(2) + 1 / log2(3)),
        (1 / log2(6)) / (1 / log2(2) + 1 / log2(3) + 1 / log2(4)),
        1.0,
    ]
    np.testing.assert_allclose(ndcg(ranked, np.array([2, 3, 2]), 5), expected)


def test_ndcg_cannot_ask_for_more_hits_than_places() -> None:
    np.testing.assert_allclose(ndcg(hits("xxx"), np.array([50]), 3), [1.0])
    np.testing.assert_allclose(ndcg(hits("x.x"), np.array([50]), 3), [(1 + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / log2(4))])


def test_average_precision_by_hand() -> None:
    ranked = hits("x..x.", "....x", "xx...", ".....")
    expected = [(1 / 1 + 2 / 4) / 2, (1 / 5) / 4, (1 / 1 + 2 / 2) / 3, 0 / 1]
    np.testing.assert_allclose(average_precision(ranked, np.array([2, 4, 3, 1]), 5), expected)


def test_average_precision_divides_by_the_places_where_these_are_fewer_than_what_is_relevant() -> None:
    np.testing.assert_allclose(average_precision(hits("x.x.x"), np.array([7]), 3), [(1 / 1 + 2 / 3) / 3])
    np.testing.assert_allclose(average_precision(hits("xxx.."), np.array([7]), 3), [1.0])


def test_reciprocal_rank_by_hand() -> None:
    ranked = hits("x..x.", "..x.x", "....x", ".....")
    assert reciprocal_rank(ranked, np.array([2, 4, 1, 1]), 5).tolist() == [1 / 1, 1 / 3, 1 / 5, 0]
    assert reciprocal_rank(ranked, np.array([2, 4, 1, 1]), 4).tolist() == [1 / 1, 1 / 3, 0, 0]


def test_r_precision_looks_at_as_many_places_as_the_person_has_relevant_items() -> None:
    ranked = hits("x..x.", "..x.x", "x...x")
    assert r_precision(ranked, np.array([2, 3, 10])).tolist() == [1 / 2, 1 / 3, 2 / 10]


@pytest.mark.parametrize("name", AT_K)
def test_a_list_shorter_than_k_counts_as_filled_with_misses(name: str) -> None:
    metric = AT_K[name]
    for k in (2, 5, 10, 100):
        padded = hits("x." + "." * 98)
        np.testing.assert_allclose(metric(hits("x."), np.array([3]), k), metric(padded, np.array([3]), k))


@pytest.mark.parametrize("name", AT_K)
def test_an_empty_list_scores_nothing(name: str) -> None:
    assert AT_K[name](np.zeros((2, 0), dtype=np.bool_), np.array([1, 2]), 10).tolist() == [0, 0]


@pytest.mark.parametrize("name", AT_K)
def test_nobody_has_no_values(name: str) -> None:
    assert AT_K[name](np.zeros((0, 5), dtype=np.bool_), np.zeros(0, dtype=int), 3).shape == (0,)


@pytest.mark.parametrize("name", AT_K)
def test_what_has_no_value_is_refused_and_never_nan(name: str) -> None:
    metric = AT_K[name]
    with pytest.raises(ValueError, match="nothing is relevant to somebody"):
        metric(hits("x..", "..."), np.array([1, 0]), 3)
    with pytest.raises(ValueError, match="more hits than there are relevant items"):
        metric(hits("xx."), np.array([1]), 3)
    with pytest.raises(ValueError, match="not the same people"):
        metric(hits("x..", "..."), np.array([1]), 3)
    if name != "r_precision":
        with pytest.raises(ValueError, match="k is 0"):
            metric(hits("x.."), np.array([1]), 0)


def textbook_recall(line: list[bool], relevant: int, k: int) -> float:
    return sum(line[:k]) / relevant


def textbook_precision(line: list[bool], relevant: int, k: int) -> float:
    return sum(line[:k]) / k


def textbook_hit_rate(line: list[bool], relevant: int, k: int) -> float:
    return float(any(line[:k]))


def textbook_ndcg(line: list[bool], relevant: int, k: int) -> float:
    gained = sum(1 / log2(place + 1) for place, hit in enumerate(line[:k], 1) if hit)
    ideal = sum(1 / log2(place + 1) for place in range(1, min(relevant, k) + 1))
    return gained / ideal


def textbook_average_precision(line: list[bool], relevant: int, k: int) -> float:
    return sum(sum(line[:place]) / place for place, hit in enumerate(line[:k], 1) if hit) / min(relevant, k)


def textbook_reciprocal_rank(line: list[bool], relevant: int, k: int) -> float:
    return next((1 / place for place, hit in enumerate(line[:k], 1) if hit), 0.0)


def textbook_r_precision(line: list[bool], relevant: int, k: int) -> float:
    return sum(line[:relevant]) / relevant


LINES = st.integers(0, 12).flatmap(lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=5))


@settings(max_examples=200, deadline=None)
@given(LINES, st.integers(1, 15), st.data())
def test_metrics_are_what_a_slow_loop_gives_and_lie_between_0_and_1(lines: list[list[bool]], k: int, data: st.DataObject) -> None:
    relevant = [data.draw(st.integers(max(1, sum(line)), 20)) for line in lines]
    ranked = np.array(lines, dtype=np.bool_).reshape(len(lines), -1)
    for name, metric in AT_K.items():
        values = metric(ranked, np.array(relevant), k)
        slow = globals()[f"textbook_{name}"]
        np.testing.assert_allclose(values, [slow(line, wanted, k) for line, wanted in zip(lines, relevant, strict=True)], err_msg=name)
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 5))
def test_the_best_possible_list_scores_1(relevant: int, k: int, others: int) -> None:
    best = hits("x" * relevant + "." * others)
    for name in ("ndcg", "average_precision", "reciprocal_rank", "hit_rate", "r_precision"):
        np.testing.assert_allclose(AT_K[name](best, np.array([relevant]), k), [1.0], err_msg=name)
    assert recall(best, np.array([relevant]), k) == min(relevant, k) / relevant
    assert precision(best, np.array([relevant]), k) == min(relevant, k) / k


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=12), st.integers(1, 15), st.data())
def test_moving_a_hit_up_never_lowers_a_metric(line: list[bool], k: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(line) - 1))
    moved = [*line]
    if line[place] and not line[place - 1]:
        moved[place - 1], moved[place] = True, False
    relevant = np.array([max(1, sum(line))])
    for name, metric in AT_K.items():
        assert metric(np.array([moved]), relevant, k) >= metric(np.array([line]), relevant, k) - 1e-12, name


@settings(max_examples=100, deadline=None)
@given(LINES, st.integers(1, 15))
def test_recall_hit_rate_and_reciprocal_rank_never_fall_with_k(lines: list[list[bool]], k: int) -> None:
    ranked, relevant = np.array(lines, dtype=np.bool_).reshape(len(lines), -1), np.full(len(lines), 12)
    for metric in (recall, hit_rate, reciprocal_rank):
        assert (metric(ranked, relevant, k + 1) >= metric(ranked, relevant, k)).all()


@pytest.mark.parametrize("k", [2, 5, 10])
def test_a_hit_higher_up_is_worth_more_where_order_matters_and_the_same_where_it_does_not(k: int) -> None:
    moved, ones = np.eye(10, dtype=np.bool_)[:k], np.ones(k, dtype=int)
    for metric in (ndcg, average_precision, reciprocal_rank):
        assert (np.diff(metric(moved, ones, k)) < 0).all()
    for metric in (recall, precision, hit_rate):
        assert len(set(metric(moved, ones, k).tolist())) == 1


@pytest.mark.parametrize("k", [1, 5, 10, 50])
def test_metrics_agree_with_trec_eval(k: int) -> None:
    people, items, rng = 40, 80, np.random.default_rng(k)
    relevant = rng.integers(1, 25, people)
    wanted = [rng.choice(items, count, replace=False) for count in relevant]
    ranking = [rng.permutation(items)[:60] for _ in range(people)]
    ranked = np.array([np.isin(order, items) for order, items in zip(ranking, wanted, strict=True)])
    judged = [ir_measures.Qrel(str(person), str(item), 1) for person in range(people) for item in wanted[person]]
    shown = [
        ir_measures.ScoredDoc(str(person), str(item), float(-place))
        for person in range(people)
        for place, item in enumerate(ranking[person])
    ]
    ours = {
        ir_measures.nDCG @ k: ndcg(ranked, relevant, k),
        # It divides by all that is relevant, not by the most that k places can hold.
        ir_measures.AP @ k: average_precision(ranked, relevant, k) * np.minimum(relevant, k) / relevant,
        ir_measures.RR @ k: reciprocal_rank(ranked, relevant, k),
        ir_measures.R @ k: recall(ranked, relevant, k),
        ir_measures.P @ k: precision(ranked, relevant, k),
        ir_measures.Success @ k: hit_rate(ranked, relevant, k),
        ir_measures.Rprec: r_precision(ranked, relevant),
    }
    theirs = {measure: np.full(people, np.nan) for measure in ours}
    for found in ir_measures.iter_calc(list(ours), judged, shown):
        theirs[found.measure][int(found.query_id)] = found.value
    for measure, values in ours.items():
        np.testing.assert_allclose(values, theirs[measure], err_msg=str(measure))


def areas(*lines: str) -> list[float]:
    """AUC of complete rankings such as "x..x", which may be of different lengths."""
    longest = max(map(len, lines))
    counts = [np.array([count(line) for line in lines]) for count in (len, lambda line: line.count("x"))]
    return auc(hits(*[line.ljust(longest, ".") for line in lines]), counts[0], counts[1], counts[0]).tolist()


def test_auc_by_hand() -> None:
    # The first click of "x.x." is above two misses, the second above one: three of four pairs are in order.
    assert areas("x...", "...x", "x.x.", ".x.", "x.") == [3 / 3, 0 / 3, 3 / 4, 1 / 2, 1 / 1]


def test_auc_of_one_class_is_nan() -> None:
    assert np.isnan(areas("xx", "...", "x", ".")).all()
    assert np.isnan(auc(np.zeros((1, 0), dtype=np.bool_), np.array([0]), np.array([0]), np.array([0]))).all()


def test_what_a_ranking_left_out_is_below_the_rest_and_tied() -> None:
    # Ranked are a click and a miss; left out are a click and two misses. Pairs in order: the ranked click over all three misses;
    # the click left out is below the ranked miss, and half above each of the two left out with it.
    assert auc(hits("x."), np.array([2]), np.array([2]), np.array([5])).tolist() == [(3 + 0 + 2 / 2) / (2 * 3)]
    assert auc(np.zeros((1, 0), dtype=np.bool_), np.array([0]), np.array([1]), np.array([4])).tolist() == [1 / 2]


@pytest.mark.parametrize(
    ("length", "relevant", "offered"), [(1, 2, 4), (3, 1, 4), (3, 2, 2), (3, 4, 3), (3, 3, 3)], ids=lambda count: str(count)
)
def test_counts_that_contradict_each_other_are_refused(length: int, relevant: int, offered: int) -> None:
    with pytest.raises(ValueError, match=r"contradict|than were offered"):
        auc(hits("x.x"), np.array([length]), np.array([relevant]), np.array([offered]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 4), st.integers(0, 4))
def test_auc_is_the_share_of_pairs_in_order(line: list[bool], clicks_left: int, misses_left: int) -> None:
    scores = [*range(len(line), 0, -1), *[0] * (clicks_left + misses_left)]
    clicked = [*line, *[True] * clicks_left, *[False] * misses_left]
    pairs = [
        1.0 if mine > other else 0.5 if mine == other else 0.0
        for mine, click in zip(scores, clicked, strict=True)
        for other, clicked_too in zip(scores, clicked, strict=True)
        if click and not clicked_too
    ]
    [area] = auc(np.array([line]), np.array([len(line)]), np.array([sum(clicked)]), np.array([len(clicked)]))
    if pairs:
        assert area == pytest.approx(sum(pairs) / len(pairs))
    else:
        assert np.isnan(area)
