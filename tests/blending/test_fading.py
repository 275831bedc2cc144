"""How histories fade, chosen by what people took up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from handmade import HOME, blend_by, checkerboard, engine_of, history_of
from heldout import held_out

from indexing.blending.fading import FADING, Fit, chosen_decays
from recommender.engine import Recommender
from recommender.feeds import Query, SourceName
from recommender.judging import HeldOut
from recommender.order import Order
from recommender.people import History
from recommender.profile import BuildSettings
from recommender.ranking.blend import AS_SET
from recommender.served_sources import settings_of
from recommender.times import from_micros

FAST, PRESENT, LASTING = 0.5, 0.875, 1.0
"""Each a number that rounds to itself."""
PEOPLE = 60


def settings_with(**blending: object) -> BuildSettings:
    sections = {source.key: {"history_decay": PRESENT} for source in FADING}
    return BuildSettings.model_validate({**sections, "blending": {"fewest": 10, "history_decays": (FAST, LASTING), **blending}})


SETTINGS = settings_with()
ENGINE = engine_of(checkerboard(), SETTINGS)


def of_one_time(history: History) -> History:
    at_once = history.copy()
    at_once["at"] = 0
    return at_once


def turned(*, lasting: bool, ordered: bool = True) -> HeldOut:
    """People who liked four items of one side, and last of all some of the other.

    Either they go on with the side of the four, which three of the other outweigh unless histories last; or with the other side, of
    which there are but two, which outweigh the four only where histories fade fast.
    """
    rng = np.random.default_rng(1)
    people = []
    for person in range(PEOPLE):
        old, new = 2 * rng.permutation(20) + person % 2, 2 * rng.permutation(20) + (person + 1) % 2
        history = history_of(*old[:4], *new[: 3 if lasting else 2])
        people.append((history if ordered else of_one_time(history), (old[4:10] if lasting else new[4:10]).tolist()))
    return held_out(*people)


@pytest.mark.parametrize("source", [source for source in FADING if source is not SourceName.CONTENT], ids=lambda source: source.key)
def test_where_tastes_last_histories_fade_little_and_where_the_newest_counts_they_fade_fast(source: SourceName) -> None:
    lasting, newest = (chosen_decays([Fit(ENGINE, [turned(lasting=lasts)])], Order.TIME, HOME, SETTINGS) for lasts in (True, False))
    assert (lasting[source - 1], newest[source - 1]) == (LASTING, FAST)


def test_sources_without_histories_that_fade_have_no_decay() -> None:
    decays = chosen_decays([Fit(ENGINE, [turned(lasting=False)])], Order.TIME, HOME, SETTINGS)
    assert all(np.isnan(decays[source - 1]) for source in SourceName if source not in FADING)


@pytest.mark.parametrize(
    ("fits", "order", "settings"),
    [
        ([Fit(ENGINE, [turned(lasting=False, ordered=False)])], Order.TIME, SETTINGS),
        ([Fit(ENGINE, [turned(lasting=False)])], Order.SEQUENCE, SETTINGS),
        ([Fit(ENGINE, [turned(lasting=False)])], Order.NONE, SETTINGS),
        ([Fit(ENGINE, [turned(lasting=False)])], Order.TIME, settings_with(fewest=PEOPLE + 1)),
        ([Fit(ENGINE, [turned(lasting=False)])], Order.TIME, settings_with(history_decays=())),
        ([Fit(ENGINE, [])], Order.TIME, SETTINGS),
        ([], Order.TIME, SETTINGS),
    ],
    ids=["one time", "places for times", "no order", "few people", "nothing to try", "nobody", "no cut"],
)
def test_without_anything_to_tell_by_the_settings_hold(fits: list[Fit], order: Order, settings: BuildSettings) -> None:
    np.testing.assert_array_equal(chosen_decays(fits, order, HOME, settings), AS_SET)


def test_people_of_all_cuts_count_alike() -> None:
    [one], both = ([Fit(ENGINE, [turned(lasting=False)])], [Fit(ENGINE, [turned(lasting=False)]), Fit(ENGINE, [turned(lasting=False)])])
    np.testing.assert_array_equal(chosen_decays([one], Order.TIME, HOME, SETTINGS), chosen_decays(both, Order.TIME, HOME, SETTINGS))


def test_a_feed_goes_by_the_decays_of_its_blend() -> None:
    decays = AS_SET.copy()
    decays[SourceName.ITEM_ITEM - 1] = FAST
    blend = replace(blend_by(item_item=1.0), decays=decays)
    learnt = Recommender.unpublished(replace(ENGINE.contents, blend=blend), SETTINGS)
    by_hand = SETTINGS.model_copy(update={"item_item": SETTINGS.item_item.model_copy(update={"history_decay": FAST})})
    assert settings_of(learnt.contents, SETTINGS) == by_hand
    same = Recommender.unpublished(replace(ENGINE.contents, blend=replace(blend, decays=AS_SET)), by_hand)
    other = Recommender.unpublished(replace(ENGINE.contents, blend=replace(blend, decays=AS_SET)), SETTINGS)
    people = turned(lasting=False)
    query = [Query(HOME, 20, history=people.histories[0], consumed=people.consumed[0])]
    ours, theirs, others = (engine.feeds(query, now=from_micros(people.cut))[0] for engine in (learnt, same, other))
    np.testing.assert_array_equal(ours.numbers, theirs.numbers)
    np.testing.assert_allclose(ours.scores, theirs.scores)
    assert (ours.scores != others.scores).any()
