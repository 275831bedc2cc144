"""Judging replays held-out people through the very engine that serves."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import numpy as np
import pytest
from handmade import HOME, checkerboard, contents_of, engine_of, feed_of, history_of, number_of, rows_in, some_items
from pyroaring import BitMap

from recommender.engine import Recommender
from recommender.errors import RecommenderError
from recommender.feeds import Query
from recommender.judging import VARIANTS, HeldOut, judge
from recommender.judging.comparison import compare, comparison_table, shown_interval
from recommender.people import History
from recommender.times import from_micros

CUT = 1_772_000_000_000_000


def held_out(*people: tuple[History, list[int]]) -> HeldOut:
    """People with a history, all of it consumed, and the rows that they took up afterwards."""
    return HeldOut(
        people=np.arange(len(people), dtype=np.uint32),
        histories=[history for history, _ in people],
        consumed=[BitMap(history["item"]) for history, _ in people],
        dismissed=[BitMap() for _ in people],
        targets=[np.array([number_of(row) for row in rows], dtype=np.uint32) for _, rows in people],
        cut=CUT,
    )


def of_both_sides(people: int) -> HeldOut:
    """People of a checkerboard of forty: three items of one side known, two others of it to be found."""
    rng = np.random.default_rng(0)
    chosen = [2 * rng.choice(20, 5, replace=False) + person % 2 for person in range(people)]
    return held_out(*[(history_of(*rows[:3]), rows[3:].tolist()) for rows in chosen])


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
        "recall@10": [1, 1, 2 / 3],
        "recall@100": [1, 1, 1],
    }
    for metric, values in expected.items():
        np.testing.assert_allclose(judgement.values[metric], values)
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


def test_on_the_checkerboard_taste_beats_popularity() -> None:
    comparison = compare(ENGINE, of_both_sides(80), HOME)
    means = {name: judgement.intervals["ndcg@10"].mean for name, judgement in comparison.judgements.items()}
    assert min(means[name] for name in ("content", "collaborative", "item_item", "blend")) > means["popularity"]
    assert comparison.blend_over("popularity").low > 0
    assert comparison.best_part in ("content", "collaborative", "item_item")


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


def test_nobody_held_out_is_an_error_and_no_figure() -> None:
    with pytest.raises(RecommenderError, match="nothing to judge"):
        judge(ENGINE, held_out(), HOME)


def test_a_comparison_reads_as_a_table() -> None:
    done: list[tuple[int, int]] = []
    comparison = compare(ENGINE, of_both_sides(20), HOME, progress=lambda at, total: done.append((at, total)))
    assert done == [(20 * turn, 100) for turn in range(1, 6)]
    table = comparison_table(comparison, "Twenty people")
    assert list(table.columns[0].cells) == list(VARIANTS)
    lead = shown_interval(comparison.blend_over("popularity"), signed=True)
    assert lead in [cell for column in table.columns for cell in column.cells]


def test_a_figure_means_what_is_seen_first() -> None:
    engine: Recommender = engine_of(contents_of(some_items(200), popularity=np.arange(200, 0, -1)))
    people = held_out((history_of(), [0]), (history_of(), [9]), (history_of(), [10]), (history_of(), [99]), (history_of(), [100]))
    judgement = judge(engine, people, HOME, variant="popularity")
    assert judgement.values["recall@10"].tolist() == [1, 1, 0, 0, 0]
    assert judgement.values["recall@100"].tolist() == [1, 1, 1, 1, 0]
    assert rows_in(feed_of(engine, Query(HOME, 3, sources=VARIANTS["popularity"]))) == [0, 1, 2]
