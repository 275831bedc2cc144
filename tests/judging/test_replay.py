"""Judging replays held-out people through the very engine that serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import log2

import numpy as np
import pytest
from handmade import HOME, NOW, checkerboard, contents_of, engine_of, feed_of, history_of, number_of, rows_in, some_items
from heldout import CUT, held_out, of_both_sides
from pyroaring import BitMap

from recommender.engine import Recommender
from recommender.errors import InvalidInput, RecommenderError
from recommender.feeds import Feed, Query, SourceName
from recommender.judging import VARIANTS, judge
from recommender.judging.replay import blend_with_only
from recommender.placements import Placement, SourceWeights
from recommender.profile import BuildSettings
from recommender.times import from_micros, to_micros

ENGINE = engine_of(checkerboard())


def test_figures_by_hand() -> None:
    engine = engine_of(contents_of(some_items(20), popularity=20 - np.arange(20)))
    people = held_out((history_of(), [0, 3]), (history_of(0, 1), [11]), (history_of(0), [2, 3, 19]))
    judgement = judge(engine, people, HOME, variant="popularity")
    # The first sees 0, 1, 2 …; the second, who had 0 and 1, sees 2, 3, 4 …; the third sees 1, 2, 3 ….
    expected = {
        "ndcg@10": [
            (1 / log2(2) + 1 / log2(5)) / (1 / log2(2) + 1 / log2(3)),
            1 / log2(11),
            (1 / log2(3) + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / 2),
        ],
        "ndcg@20": [
            (1 / log2(2) + 1 / log2(5)) / (1 / log2(2) + 1 / log2(3)),
            1 / log2(11),
            (1 / log2(3) + 1 / log2(4) + 1 / log2(20)) / (1 + 1 / log2(3) + 1 / 2),
        ],
        "recall@10": [1, 1, 2 / 3],
        "recall@20": [1, 1, 1],
        "recall@50": [1, 1, 1],
        "recall@100": [1, 1, 1],
        "hit_rate@10": [1, 1, 1],
        "precision@10": [2 / 10, 1 / 10, 2 / 10],
        "map@10": [(1 / 1 + 2 / 4) / 2, 1 / 10, (1 / 2 + 2 / 3) / 3],
        "mrr@10": [1, 1 / 10, 1 / 2],
        "r_precision": [1 / 2, 0, 2 / 3],
    }
    assert judgement.values.keys() == judgement.intervals.keys() == expected.keys()
    assert judgement.overall == {}
    for metric, values in expected.items():
        np.testing.assert_allclose(judgement.values[metric], values, err_msg=metric)
        assert judgement.intervals[metric].mean == pytest.approx(np.mean(values))
    assert judgement.shown == 12


def test_it_judges_what_is_served() -> None:
    people = of_both_sides(30)
    for variant, sources in VARIANTS.items():
        judgement = judge(ENGINE, people, HOME, variant=variant)
        for person in range(30):
            query = Query(HOME, 10, history=people.histories[person], consumed=people.consumed[person], sources=sources)
            served = feed_of(ENGINE, query, now=from_micros(CUT))
            hits = np.isin(served.numbers, people.targets[person])
            assert judgement.values["recall@10"][person] == hits.sum() / 2


def test_everybody_is_judged_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    people = of_both_sides(60)
    done: list[int] = []
    whole = judge(ENGINE, people, HOME)
    monkeypatch.setattr("recommender.judging.replay.BATCH", 7)
    parts = judge(ENGINE, people, HOME, progress=done.append)
    assert done == [*range(7, 60, 7), 60]
    for metric, values in whole.values.items():
        np.testing.assert_array_equal(values, parts.values[metric])


def test_the_same_seed_gives_the_same_figures() -> None:
    people = of_both_sides(40)
    assert judge(ENGINE, people, HOME, seed=1).intervals == judge(ENGINE, people, HOME, seed=1).intervals
    assert judge(ENGINE, people, HOME, seed=1).intervals != judge(ENGINE, people, HOME, seed=2).intervals


def test_a_short_slate_counts_as_missing_the_rest() -> None:
    engine = engine_of(contents_of(some_items(5), popularity=[3, 2, 1, 0, 0]))
    short = HOME.model_copy(update={"fallback": "none"})
    judgement = judge(engine, held_out((history_of(), [1, 4])), short, variant="popularity")
    assert judgement.values["recall@100"].tolist() == [0.5]


def test_an_item_that_the_catalogue_lost_still_counts_as_missed() -> None:
    people = held_out((history_of(), [0, 999]))
    assert judge(ENGINE, people, HOME, variant="popularity").values["recall@100"].tolist() == [0.5]


def test_dismissed_items_are_not_shown_to_who_is_judged() -> None:
    people = held_out((history_of(), [0]))
    assert judge(ENGINE, people, HOME, variant="popularity").values["recall@10"].tolist() == [1]
    dismissing = replace(people, dismissed=[BitMap([number_of(0)])])
    assert judge(ENGINE, dismissing, HOME, variant="popularity").values["recall@100"].tolist() == [0]


def test_half_an_engine_is_not_judged() -> None:
    engine = engine_of(checkerboard())
    engine.sources[1].factors = np.ones((3, 2), dtype=np.float32)  # type: ignore[attr-defined]
    engine.sources[1].__dict__["known"] = np.ones(40, dtype=np.bool_)
    with pytest.raises(RecommenderError, match="source collaborative failed"):
        judge(engine, of_both_sides(3), HOME)
    assert judge(engine, of_both_sides(3), HOME, variant="content").values["recall@10"].shape == (3,)


@pytest.mark.parametrize("row", [4, slice(None)])
@pytest.mark.parametrize("variant", ["blend", "collaborative"])
def test_scores_that_are_no_numbers_are_refused_and_no_average(row: int | slice, variant: str) -> None:
    contents = checkerboard()
    contents.factors[row] = np.nan
    with pytest.raises(RecommenderError, match="source collaborative failed"):
        judge(engine_of(contents), of_both_sides(3), HOME, variant=variant)
    assert judge(engine_of(contents), of_both_sides(3), HOME, variant="graph").values["recall@10"].shape == (3,)


def test_nobody_held_out_is_an_error_and_no_figure() -> None:
    with pytest.raises(RecommenderError, match="nothing to judge"):
        judge(ENGINE, held_out(), HOME)


def test_a_figure_means_what_is_seen_first() -> None:
    engine: Recommender = engine_of(contents_of(some_items(200), popularity=np.arange(200, 0, -1)))
    people = held_out((history_of(), [0]), (history_of(), [9]), (history_of(), [10]), (history_of(), [99]), (history_of(), [100]))
    judgement = judge(engine, people, HOME, variant="popularity")
    assert judgement.values["recall@10"].tolist() == [1, 1, 0, 0, 0]
    assert judgement.values["recall@100"].tolist() == [1, 1, 1, 1, 0]
    assert rows_in(feed_of(engine, Query(HOME, 3, sources=VARIANTS["popularity"]))) == [0, 1, 2]


def test_every_source_but_the_newest_items_is_judged_alone_and_all_of_them_together() -> None:
    assert next(iter(VARIANTS)) == "popularity"
    assert VARIANTS["blend"] is None
    alone = {name for sources in VARIANTS.values() if sources is not None for name in sources}
    assert alone == set(SourceName) - {SourceName.FRESH}
    assert all(len(sources) == 1 for sources in VARIANTS.values() if sources is not None)


def test_the_lists_that_were_shown_are_kept() -> None:
    people = held_out((history_of(), [0, 3]), (history_of(0, 1), [4]))
    judgement = judge(engine_of(contents_of(some_items(5), popularity=[5, 4, 3, 2, 1])), people, HOME, variant="popularity")
    assert judgement.lists.shape == judgement.hits.shape == (2, 100)
    assert judgement.lists[:, :6].tolist() == [[0, 1, 2, 3, 4, -1], [2, 3, 4, -1, -1, -1]]
    assert np.argwhere(judgement.hits).tolist() == [[0, 0], [0, 3], [1, 2]]
    assert (judgement.lists[:, 6:] == -1).all()
    assert judgement.relevant.tolist() == [2, 1]


def test_only_candidates_are_ranked_and_their_order_has_an_area() -> None:
    engine = engine_of(contents_of(some_items(20), popularity=20 - np.arange(20)))
    people = held_out((history_of(), [3, 9]), (history_of(), [1]), (history_of(), [5]), (history_of(2), [5]))
    offered = [[9, 1, 3, 4], [1], [4, 3], [2, 8, 5, 999]]
    people = replace(people, candidates=[np.array([number_of(row) for row in rows], dtype=np.uint32) for rows in offered])
    judgement = judge(engine, people, HOME, variant="popularity")
    assert [line[line >= 0].tolist() for line in judgement.lists] == [[1, 3, 4, 9], [1], [3, 4], [5, 8]]
    # Of the first, 3 is above 4 and below 1, 9 below both. Of the second all, of the third nothing was clicked. The last one's
    # click is above 8, and above what was offered but could not be ranked.
    np.testing.assert_array_equal(judgement.values["auc"], [1 / 4, np.nan, np.nan, 3 / 3])
    assert judgement.intervals["auc"].mean == (1 / 4 + 3 / 3) / 2
    assert judgement.overall == {"auc_excluded": 2}
    np.testing.assert_allclose(judgement.values["recall@10"], [1, 1, 0, 1])


def test_the_area_is_over_the_whole_ranking_however_long() -> None:
    engine = engine_of(contents_of(some_items(700), popularity=np.arange(700, 0, -1)))
    everything = np.array([number_of(row) for row in range(700)], dtype=np.uint32)
    people = replace(held_out((history_of(), [0, 650])), candidates=[everything])
    judgement = judge(engine, people, HOME, variant="popularity")
    assert judgement.lists.shape == (1, 100)
    assert judgement.values["auc"].tolist() == [pytest.approx((698 + 698 - 649) / (2 * 698))]
    assert judgement.values["recall@100"].tolist() == [1 / 2]


def test_r_precision_is_over_as_many_places_as_somebody_has_targets_however_many() -> None:
    engine = engine_of(contents_of(some_items(400), popularity=np.arange(400, 0, -1)))
    # All even rows below 300: of the first 150 rows, half are among them. A list of 100 would have held 50 of 150.
    people = held_out((history_of(), list(range(0, 300, 2))), (history_of(), [0, 5]))
    judgement = judge(engine, people, HOME, variant="popularity")
    np.testing.assert_allclose(judgement.values["r_precision"], [75 / 150, 1 / 2])
    assert judgement.lists.shape == (2, 100)
    assert judgement.values["recall@100"].tolist() == [50 / 150, 1]


def test_a_list_shorter_than_the_targets_counts_as_missing_the_rest() -> None:
    engine = engine_of(contents_of(some_items(120), popularity=np.arange(120, 0, -1)))
    judgement = judge(engine, held_out((history_of(), [*range(120), *range(500, 540)])), HOME, variant="popularity")
    assert judgement.values["r_precision"].tolist() == [120 / 160]


def test_what_was_shown_is_ranked_by_the_figures_that_are_usual_for_it() -> None:
    engine = engine_of(contents_of(some_items(20), popularity=20 - np.arange(20)))
    people = replace(held_out((history_of(), [6])), candidates=[np.array([number_of(row) for row in range(8)], dtype=np.uint32)])
    values = judge(engine, people, HOME, variant="popularity").values
    assert (values["ndcg@5"].tolist(), values["mrr@100"].tolist()) == ([0], [1 / 7])
    assert values["ndcg@10"].tolist() == [pytest.approx(1 / log2(8))]
    assert "ndcg@5" not in judge(engine, held_out((history_of(), [6])), HOME, variant="popularity").values


def test_scores_are_kept_of_what_a_source_spoke_for() -> None:
    engine = engine_of(contents_of(some_items(5), popularity=[3, 2, 1, 0, 0]))
    people = held_out((history_of(), [0]))
    scores = judge(engine, people, HOME, variant="popularity").scores
    served = feed_of(engine, Query(HOME, 5, sources=VARIANTS["popularity"]), now=from_micros(CUT))
    assert scores.shape == (1, 100)
    np.testing.assert_array_equal(scores[0, :3], served.scores[:3])
    assert np.isnan(scores[0, 3:]).all()


def test_everybody_is_asked_at_their_own_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [replace(item, valid_to=NOW + timedelta(days=row + 1)) for row, item in enumerate(some_items(4))]
    engine = engine_of(contents_of(items, popularity=[4, 3, 2, 1]))
    days = np.array([3, 0, 2, 0, 1, 3])
    people = held_out(*[(history_of(), [3])] * len(days))
    people = replace(people, moments=(to_micros(NOW) + days * 86_400_000_000).astype(np.int64))
    done: list[int] = []
    judgement = judge(engine, people, HOME, variant="popularity", lists=True, progress=done.append)
    assert [line[line >= 0].tolist() for line in judgement.lists] == [list(range(day, 4)) for day in days]
    assert done == [2, 3, 4, 6]
    # Item r is r hours old at NOW.
    np.testing.assert_allclose(judgement.values["age_days@10"], [day + np.arange(day, 4).mean() / 24 for day in days])
    monkeypatch.setattr("recommender.judging.replay.BATCH", 1)
    np.testing.assert_array_equal(judge(engine, people, HOME, variant="popularity").lists, judgement.lists)


def test_an_ablation_leaves_out_a_source_and_nothing_else() -> None:
    people = of_both_sides(30)
    none = (0.0, 0.0, 0.0, 0.0)
    placement = Placement(name="home", weights=SourceWeights(item_item=none))
    ablated = judge(ENGINE, people, placement, variant="without_content", sources=frozenset(SourceName) - {SourceName.CONTENT})
    by_hand = judge(ENGINE, people, Placement(name="home", weights=SourceWeights(item_item=none, content=none)))
    assert ablated.variant == "without_content"
    np.testing.assert_array_equal(ablated.lists, by_hand.lists)
    assert (ablated.lists != judge(ENGINE, people, placement).lists).any()
    whole = judge(ENGINE, people, placement, variant="whole", sources=frozenset(SourceName))
    np.testing.assert_array_equal(whole.lists, judge(ENGINE, people, placement).lists)
    assert blend_with_only(placement, frozenset({SourceName.POPULAR})).weights.popular == placement.weights.popular


def test_an_unknown_variant_and_a_taken_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="variant: given 'moon', allowed: one of popularity"):
        judge(ENGINE, of_both_sides(2), HOME, variant="moon")
    with pytest.raises(InvalidInput, match="a name other than"):
        judge(ENGINE, of_both_sides(2), HOME, sources=frozenset({SourceName.CONTENT}))


class Headstrong(Recommender):
    """An engine that blends as it likes, whatever the placement says."""

    def feeds(self, queries: Sequence[Query], *, now: datetime, deadline: float | None = None) -> list[Feed]:
        return super().feeds([replace(query, placement=HOME) for query in queries], now=now, deadline=deadline)


def test_an_ablation_that_leaves_nothing_out_is_no_figure() -> None:
    engine = Headstrong.unpublished(checkerboard(), BuildSettings())
    with pytest.raises(RecommenderError, match="cannot judge without source content"):
        judge(engine, of_both_sides(3), HOME, variant="without_content", sources=frozenset(SourceName) - {SourceName.CONTENT})
    assert judge(engine, of_both_sides(3), HOME, variant="whole", sources=frozenset(SourceName)).variant == "whole"
