"""What is searched lies inside what the settings allow, and changes an answer on the data at hand."""

from __future__ import annotations

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from eval.tuning.space import PARTS, parts_named, rounded, value_at, with_values
from eval.tuning.studies import inside
from indexing.pace import LEAST, USUAL
from recommender.errors import InvalidInput
from recommender.judging import VARIANTS
from recommender.order import Order
from recommender.profile import BuildSettings, Popularity

WATCHED = frozenset({"watch"})


def test_both_ends_of_every_range_are_settings_that_a_file_may_hold() -> None:
    for part in PARTS:
        for path, given in part.ranges.items():
            match given:
                case CategoricalDistribution():
                    ends = list(given.choices)
                case FloatDistribution() | IntDistribution():
                    ends = [given.low, given.high]
            for end in ends:
                assert value_at(with_values(BuildSettings(), {path: end}), path) == end


def test_the_defaults_lie_inside_the_ranges_so_that_every_study_can_begin_with_them() -> None:
    # Half-lives begin as what a build reads off the data.
    settings = BuildSettings(half_life_days=LEAST, popularity=Popularity(half_life_days=USUAL))
    for part in PARTS:
        for path, given in part.ranges.items():
            assert inside(given, value_at(settings, path)), path


def test_a_value_outside_a_range_is_outside() -> None:
    assert not inside(FloatDistribution(0.1, 1.0), 1.5)
    assert not inside(FloatDistribution(0.1, 1.0), "auto")
    assert not inside(CategoricalDistribution(("auto", "never")), "always")


def test_no_two_parts_share_a_setting_and_each_builds_on_earlier_ones_only() -> None:
    paths = [path for part in PARTS for path in part.ranges]
    assert len(paths) == len(set(paths))
    for place, part in enumerate(PARTS):
        assert part.builds_on <= {earlier.name for earlier in PARTS[:place]}
        assert part.variant in VARIANTS


def test_parts_come_in_the_order_of_tuning_whatever_the_order_of_their_names() -> None:
    assert [part.name for part in parts_named(["transfer", "item_item"])] == ["item_item", "transfer"]
    assert "events" not in {part.name for part in parts_named([])}
    assert [part.name for part in parts_named(["events"])] == ["events"]


def test_an_unknown_part_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(InvalidInput, match="only: given 'moon', allowed: parts among events, item_item,"):
        parts_named(["item_item", "moon"])


def test_without_order_neither_the_decay_of_histories_nor_half_lives_are_tuned() -> None:
    (item_item,) = parts_named(["item_item"])
    (popular,) = parts_named(["popular"])
    assert set(item_item.ranges_on(Order.NONE, WATCHED)) == set(item_item.ranges) - {"item_item.history_decay"}
    assert "item_item.history_decay" in item_item.ranges_on(Order.SEQUENCE, WATCHED)
    assert popular.ranges_on(Order.NONE, WATCHED) == popular.ranges_on(Order.SEQUENCE, WATCHED) == {}
    assert set(popular.ranges_on(Order.TIME, WATCHED)) == {"popularity.half_life_days"}


def test_weights_are_tuned_of_event_types_that_occur_beside_others() -> None:
    (events,) = parts_named(["events"])
    assert set(events.ranges_on(Order.TIME, WATCHED)) == {"half_life_days"}
    both = frozenset({"watch", "like"})
    assert set(events.ranges_on(Order.SEQUENCE, both)) == {"event_weights.watch", "event_weights.like"}


def test_values_are_set_by_path_and_all_else_stays() -> None:
    changed = with_values(BuildSettings(), {"item_item.regularisation": 7.0, "blending.trees.leaves": 5, "half_life_days": 9.0})
    assert (changed.item_item.regularisation, changed.blending.trees.leaves, changed.half_life_days) == (7.0, 5, 9.0)
    assert changed.collaborative == BuildSettings().collaborative
    assert with_values(BuildSettings(), {}) == BuildSettings()


def test_tried_numbers_have_four_digits() -> None:
    assert rounded(123.456789) == 123.5
    assert rounded(0.000123456) == 0.0001235
    assert (rounded(17), rounded("auto")) == (17, "auto")
