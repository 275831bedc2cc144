"""The learned blend as arrays: what is stored comes back, and what is damaged is refused."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import blend_by, stumps

from recommender.feeds import SourceName
from recommender.placements import HISTORY_BUCKETS
from recommender.ranking import Blend
from recommender.ranking.blend import NO_CALIBRATION, blend_arrays, blend_of

WEIGHTS = np.random.default_rng(0).random((len(HISTORY_BUCKETS), len(SourceName))).astype(np.float32)
LARGEST = np.equal(WEIGHTS, WEIGHTS.max())
SCALES = (0.5 + np.random.default_rng(1).random(len(SourceName))).astype(np.float32)
DECAYS = np.where(np.arange(len(SourceName)) % 2, 0.75, np.nan).astype(np.float32)
TREES = stumps(("blend", 0.5, -1.0, 1.0), ("popularity", 2.0, 0.25, -0.25))


@pytest.mark.parametrize("trees", [None, TREES], ids=["weights alone", "with trees"])
def test_a_blend_comes_back_from_its_arrays(trees: object) -> None:
    blend = Blend(WEIGHTS, SCALES, trees, np.array([1.5, -2.0]), DECAYS)  # type: ignore[arg-type]
    back = blend_of(blend_arrays(blend))
    assert back is not None
    np.testing.assert_array_equal(back.weights, blend.weights)
    np.testing.assert_array_equal(back.scales, blend.scales)
    np.testing.assert_array_equal(back.calibration, blend.calibration)
    np.testing.assert_array_equal(back.decays, DECAYS)
    assert (back.trees is None) == (trees is None)
    if back.trees is not None:
        rows = np.random.default_rng(1).normal(size=(50, TREES.features)).astype(np.float32)
        np.testing.assert_array_equal(back.trees.score(rows), TREES.score(rows))


def test_no_blend_comes_back_as_none() -> None:
    assert blend_of(blend_arrays(None)) is None


def test_every_blend_has_arrays_of_the_same_names() -> None:
    assert blend_arrays(None).keys() == blend_arrays(blend_by()).keys() == blend_arrays(blend_by(TREES)).keys()


@pytest.mark.parametrize(
    "weights",
    [
        WEIGHTS[:, :-1],
        WEIGHTS[:3],
        np.where(LARGEST, -0.1, WEIGHTS),
        np.where(LARGEST, np.nan, WEIGHTS),
        np.where(LARGEST, np.inf, WEIGHTS),
    ],
    ids=["a source short", "a bucket short", "negative", "not a number", "infinite"],
)
def test_weights_that_are_none_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"blend weights of shape \(4, 11\), 0 or more"):
        Blend(weights, SCALES, None, NO_CALIBRATION)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_scales_that_nothing_can_be_divided_by_are_refused(wrong: float) -> None:
    scales = SCALES.copy()
    scales[3] = wrong
    for refused in (scales, SCALES[:-1]):
        with pytest.raises(ValueError, match=r"blend scales of shape \(11,\), above 0"):
            Blend(WEIGHTS, refused, None, NO_CALIBRATION)


@pytest.mark.parametrize("calibration", [[0.0, 1.0], [-1.0, 0.0], [np.nan, 0.0], [1.0, np.inf], [1.0]])
def test_a_calibration_that_does_not_rise_is_refused(calibration: list[float]) -> None:
    with pytest.raises(ValueError, match="a calibration of positive slope"):
        Blend(WEIGHTS, SCALES, None, np.array(calibration))


@pytest.mark.parametrize("wrong", [0.0, -0.5, 1.1, np.inf])
def test_decays_that_are_no_factors_are_refused(wrong: float) -> None:
    decays = DECAYS.copy()
    decays[3] = wrong
    for refused in (decays, DECAYS[:-1]):
        with pytest.raises(ValueError, match=r"decays of shape \(11,\), above 0 and at most 1"):
            Blend(WEIGHTS, SCALES, None, NO_CALIBRATION, refused)


def test_damaged_arrays_are_refused() -> None:
    arrays = blend_arrays(blend_by(TREES))
    with pytest.raises(KeyError):
        blend_of({name: array for name, array in arrays.items() if name != "tree_left"})
    with pytest.raises(ValueError, match="0 or more"):
        blend_of({**arrays, "blend_weights": -np.ones((4, 10), dtype=np.float32)})


def test_a_score_means_a_probability_by_the_logistic_function() -> None:
    blend = blend_by(slope=2.0, offset=-1.0)
    scores = np.array([0.5, 1.5, -0.5], dtype=np.float32)
    expected = [1 / (1 + np.exp(0)), 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))]
    np.testing.assert_allclose(blend.probability(scores), expected, rtol=1e-6)


def test_a_higher_score_is_never_less_probable() -> None:
    scores = np.sort(np.random.default_rng(2).normal(scale=4, size=500)).astype(np.float32)
    probabilities = blend_by(slope=0.7, offset=-3.0).probability(scores)
    assert (np.diff(probabilities) >= 0).all()
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert probabilities.dtype == np.float32
