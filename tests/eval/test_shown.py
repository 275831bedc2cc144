"""Impressions: what was shown together, what of it was taken up, and who is judged on which of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from event_rows import Row, known, table, targets

from eval.datasets.dataset import Dataset
from eval.datasets.impressions import Impressions
from eval.evaluation import Evaluation
from eval.material import Material, of_dataset
from eval.shown import for_shown, has_order, held_out_impressions, impressions_of, with_shows
from eval.splitting import Cutting, splits_of
from recommender.errors import InvalidInput
from recommender.events import Consent, EventType
from recommender.items import Item, ItemKind
from recommender.order import Order
from recommender.placements import Placement
from recommender.profile import BuildSettings, EventWeights

SEEN, CLICK, HIDE = EventType.IMPRESSION, EventType.CLICK, EventType.HIDE
WEIGHTS = EventWeights()
SECOND = 1_000_000
MINUTE = 60 * SECOND


def seen(*rows: tuple[int, int, EventType, float]) -> Impressions:
    """What events of (person, item, type, minutes) show."""
    return impressions_of(table(*[(person, item, kind, int(at * MINUTE)) for person, item, kind, at in rows]), WEIGHTS)


def told(impressions: Impressions) -> list[tuple[int, float, list[int], list[int]]]:
    """Person, minutes, items and those taken up of each impression."""
    parts = [slice(a, b) for a, b in zip(impressions.offsets, impressions.offsets[1:], strict=False)]
    return [
        (int(person), at / MINUTE, impressions.item[part].tolist(), impressions.item[part][impressions.clicked[part]].tolist())
        for person, at, part in zip(impressions.person, impressions.at, parts, strict=True)
    ]


def test_what_one_person_saw_in_a_row_was_shown_together() -> None:
    found = seen((1, 10, SEEN, 5), (1, 11, SEEN, 6), (1, 12, SEEN, 7), (1, 13, SEEN, 8.5), (2, 10, SEEN, 5.5))
    # The third follows the second by a minute, the fourth the third by more; the second person's are others.
    assert told(found) == [(1, 5, [10, 11, 12], []), (2, 5.5, [10], []), (1, 8.5, [13], [])]


def test_what_was_acted_on_within_half_an_hour_was_taken_up() -> None:
    found = seen((1, 10, SEEN, 0), (1, 11, SEEN, 0), (1, 12, SEEN, 0), (1, 10, CLICK, 30), (1, 11, CLICK, 30.1), (1, 13, CLICK, 1))
    assert told(found) == [(1, 0, [10, 11, 12], [10])]


def test_another_persons_click_an_earlier_one_and_a_dismissal_take_nothing_up() -> None:
    found = seen((1, 10, CLICK, 1), (1, 10, SEEN, 2), (1, 11, SEEN, 2), (1, 11, HIDE, 3), (2, 10, CLICK, 3))
    assert told(found) == [(1, 2, [10, 11], [])]


def test_a_click_counts_for_the_last_time_that_the_item_was_shown() -> None:
    found = seen((1, 10, SEEN, 0), (1, 10, SEEN, 5), (1, 10, CLICK, 6), (1, 10, SEEN, 7))
    assert told(found) == [(1, 0, [10], []), (1, 5, [10], [10]), (1, 7, [10], [])]


def test_a_click_at_the_very_moment_of_the_show_takes_it_up() -> None:
    assert told(seen((1, 10, CLICK, 1), (1, 10, SEEN, 1))) == [(1, 1, [10], [10])]


def test_without_consent_to_measure_nothing_was_shown() -> None:
    consent = [Consent.ALL, Consent.TRAIN | Consent.PERSONALISE, Consent.TRAIN | Consent.MEASURE]
    found = impressions_of(table((1, 10, SEEN, 0), (2, 10, SEEN, 0), (3, 10, SEEN, 0), consent=consent), WEIGHTS)
    assert found.person.tolist() == [1]
    with pytest.raises(InvalidInput, match="events of type impression"):
        seen((1, 10, CLICK, 0))


ROWS: list[Row] = [
    (1, 20, CLICK, 0),
    *[(1, item, SEEN, 10 * MINUTE) for item in (10, 11, 12)],
    (1, 11, CLICK, 11 * MINUTE),
    *[(2, item, SEEN, 12 * MINUTE) for item in (10, 11)],
    *[(3, item, SEEN, 13 * MINUTE + 30 * SECOND) for item in (10, 11)],
    (3, 10, CLICK, 14 * MINUTE),
    (3, 11, CLICK, 14 * MINUTE),
    *[(1, item, SEEN, 20 * MINUTE + 30 * SECOND) for item in (10, 13)],
    (1, 13, CLICK, 21 * MINUTE),
]


def test_an_impression_has_an_order_where_some_and_not_all_of_it_was_taken_up() -> None:
    assert has_order(impressions_of(table(*ROWS), WEIGHTS)).tolist() == [True, False, False, True]


def test_each_impression_is_a_query_among_what_was_shown_with_what_was_known_then() -> None:
    impressions = impressions_of(table(*ROWS), WEIGHTS)
    held = held_out_impressions(impressions, np.array([0, 3]), table(*ROWS), 10 * MINUTE)
    assert held.people.tolist() == [1, 1]
    assert [history["item"].tolist() for history in held.histories] == [[20], [20, 11]]
    assert [wanted.tolist() for wanted in held.targets] == [[11], [13]]
    assert held.candidates is not None
    assert [offered.tolist() for offered in held.candidates] == [[10, 11, 12], [10, 13]]
    assert held.moments is not None
    assert held.moments.tolist() == [10 * MINUTE, 20 * MINUTE]


def test_all_that_was_shown_is_ranked_whatever_the_placement_leaves_out_of_feeds() -> None:
    held = held_out_impressions(impressions_of(table(*ROWS), WEIGHTS), np.array([0]), table(*ROWS), 0)
    long = replace(held, candidates=[np.arange(300, dtype=np.uint32)])
    asked = for_shown(Placement(name="home", ranker_depth=50), long)
    assert (asked.repeat, asked.candidates, asked.ranker_depth) == ("allowed", 300, 300)
    assert for_shown(Placement(name="home", ranker_depth=0), long).ranker_depth == 0


def of(rows: list[Row]) -> Material:
    items = [Item(f"item-{number}", ItemKind.MEDIA) for number in range(30)]
    return of_dataset(Dataset("tiny", items, table(*rows), Order.TIME, [f"person-{number}" for number in range(4)], ""))


def test_impressions_from_the_cut_on_are_judged_and_the_others_counted() -> None:
    (split,), _ = splits_of(of(ROWS), BuildSettings(), Cutting(split="impressions", cut=12 * MINUTE))
    assert len(split.training) == 5
    assert (targets(split.held_out), known(split.held_out), split.excluded) == ({1: [13]}, {1: [20, 11]}, 2)
    (earlier,), _ = splits_of(of(ROWS), BuildSettings(), Cutting(split="impressions", cut=5 * MINUTE, until=13 * MINUTE))
    assert (targets(earlier.held_out), earlier.excluded) == ({1: [11]}, 1)
    # Without a cut, the newest share of the impressions: one of four.
    (newest,), _ = splits_of(of(ROWS), BuildSettings(), Cutting(split="impressions", share=0.2))
    assert targets(newest.held_out) == {1: [13]}


def test_a_set_says_itself_what_was_shown_and_it_is_learnt_from() -> None:
    clicks = table(*[row for row in ROWS if row[2] != SEEN])
    shown = impressions_of(table(*ROWS), WEIGHTS)
    material = replace(of(ROWS), events=clicks, impressions=shown)
    (split,), _ = splits_of(material, BuildSettings(), Cutting(split="impressions", cut=12 * MINUTE))
    assert split.training.type.tolist() == [CLICK, SEEN, SEEN, SEEN, CLICK]
    assert len(with_shows(clicks, shown)) == len(ROWS)
    judged = replace(shown, judged=np.array([False, False, False, True]))
    (held,), _ = splits_of(replace(material, impressions=judged), BuildSettings(), Cutting(split="impressions"))
    assert (held.held_out.cut, held.excluded) == (int(shown.at[3]), 0)


def test_nothing_that_can_be_ordered_leaves_nobody_to_judge() -> None:
    with pytest.raises(InvalidInput, match="impressions: held_out"):
        splits_of(of(ROWS), BuildSettings(), Cutting(split="impressions", cut=30 * MINUTE))
    with pytest.raises(InvalidInput, match="--split: given 'impressions'"):
        splits_of(replace(of(ROWS), order=Order.NONE), BuildSettings(), Cutting(split="impressions"))


def with_impressions(material: Material) -> Material:
    """Everybody is shown two items, one of either taste, a minute before each event, whose item is one of them."""
    events = material.events
    order = np.argsort(events.at, kind="stable")
    # The store's numbers begin at 1.
    other = ((events.item - 1) ^ 1) + 1
    pairs = np.stack([events.item, other], axis=1)[order]
    return replace(
        material,
        impressions=Impressions(
            events.person[order],
            events.at[order] - MINUTE,
            2 * np.arange(len(order) + 1, dtype=np.int64),
            pairs.ravel(),
            np.tile([True, False], len(order)),
        ),
    )


def test_an_engine_that_knows_tastes_orders_what_was_shown(judge: Callable[..., Evaluation], material: Material) -> None:
    result = judge(on=with_impressions(material), split="impressions")
    values = result.comparison.judgements["blend"].values
    assert {"auc", "mrr@100", "ndcg@5", "ndcg@10"} <= set(values)
    assert values["auc"].mean() > 0.8
    lists = result.comparison.judgements["blend"].lists
    assert ((lists >= 0).sum(axis=1) == 2).all()
    assert result.windows[0].excluded == 0
