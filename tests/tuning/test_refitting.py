"""Refitting one learner comes to the same as learning everything with the changed settings."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from eval.tuning.blender import Blender
from eval.tuning.refitting import LEARNERS, Learning
from eval.tuning.space import Value, with_values
from eval.tuning.training_part import TrainingPart
from indexing.fitting import fit
from recommender.alike_lists import AlikeLists
from recommender.generation import Contents
from recommender.graph_filter import ItemSpectrum
from recommender.lists import Lists
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.search.query_encoder import QueryEncoder
from recommender.search.word_index import WordIndex
from recommender.sequence_model import ARRAYS, SequenceModel

pytestmark = pytest.mark.usefixtures("learnt_here")

CHANGES: dict[str, dict[str, Value]] = {
    "item_item": {"item_item.regularisation": 3.0},
    "collaborative": {"collaborative.factors": 16, "collaborative.alpha": 5.0},
    "co_occurrence": {"co_occurrence.target_exponent": 0.5},
    "transitions": {"transitions.window": 2},
    "graph": {"graph.exponent": 1.5},
    "sequence": {"sequence.fewest": 1, "sequence.factors": 8, "sequence.passes": 1},
    "transfer": {"transfer.degree_exponent": 1.0},
    "popularity": {"popularity.half_life_days": 2.0},
    "events": {"half_life_days": 20.0},
    "several": {"item_item.degree_exponent": 0.5, "transfer.neighbours": 3, "graph.factors": 8},
}


@pytest.fixture(scope="module")
def learning(data: TrainingPart) -> Learning:
    return Learning(data.catalogue, data.vectors, data.has_vector, data.events)


@pytest.fixture(scope="module")
def learnt(learning: Learning, present: BuildSettings) -> Contents:
    return learning.contents(present)


def different(ours: Contents, theirs: Contents) -> set[str]:
    """Fields of what was learnt that are not the same."""
    return {field.name for field in fields(Contents) if not _same(getattr(ours, field.name), getattr(theirs, field.name))}


def _same(one: object, other: object) -> bool:
    if isinstance(one, Lists | AlikeLists):
        assert isinstance(other, type(one))
        return all(np.array_equal(ours, theirs) for ours, theirs in zip(one, other, strict=True))
    if isinstance(one, ItemSpectrum):
        assert isinstance(other, ItemSpectrum)
        return np.array_equal(one.vectors, other.vectors) and np.array_equal(one.gains, other.gains)
    if isinstance(one, SequenceModel):
        assert isinstance(other, SequenceModel)
        return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)
    if isinstance(one, WordIndex):
        assert isinstance(other, WordIndex)
        return all(np.array_equal(array, other.arrays()[name]) for name, array in one.arrays().items())
    if isinstance(one, QueryEncoder):
        # No fit has to do with how queries are encoded.
        assert isinstance(other, QueryEncoder)
        return not one.there
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)  # type: ignore[arg-type]
    return one is other or one == other


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_brought_to_other_settings_is_what_is_learnt_with_them(
    change: str, learning: Learning, learnt: Contents, present: BuildSettings
) -> None:
    settings = with_values(present, CHANGES[change])
    assert different(learning.contents(settings), learnt)
    assert different(learning.brought(learnt, present, settings), learning.contents(settings)) == set()


def test_one_learner_is_fitted_without_the_others(learning: Learning, learnt: Contents, present: BuildSettings) -> None:
    touched = {
        "collaborative": {"factors"},
        "popularity": {"popularity", "recent_popularity", "counting"},
        "transfer": {"transfer", "lender_worth"},
    }
    for learner in LEARNERS:
        settings = with_values(present, CHANGES[learner])
        changed = different(learning.refitted(learnt, learner, settings), learnt)
        assert changed - {"confidence"} == touched.get(learner, {learner})


def test_the_decay_of_histories_needs_no_fit(learning: Learning, learnt: Contents, present: BuildSettings) -> None:
    settings = with_values(present, {"item_item.history_decay": 0.7, "content.interests": 2})
    assert learning.brought(learnt, present, settings) is learnt


def test_a_blend_is_the_one_that_a_build_would_learn(learning: Learning, present: BuildSettings) -> None:
    home = Placement(name="home")
    settings = with_values(present, {"item_item.regularisation": 3.0})
    whole = fit(learning.catalogue, learning.vectors, learning.has_vector, learning.events, settings, home).contents.blend
    blender = Blender.of(learning, present, home)
    assert whole is not None
    assert blender is not None
    ours = blender.brought(settings).blend(settings)
    assert ours is not None
    np.testing.assert_array_equal(ours.weights, whole.weights)
    assert (ours.trees is None) == (whole.trees is None)
