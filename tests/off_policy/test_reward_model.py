"""The reward model recovers effects that are there, ignores what is noise, and never sees what it predicts."""

from __future__ import annotations

import numpy as np
import pytest

from eval.off_policy import contexts_of, cross_fitted, fit_reward_model
from recommender.errors import InvalidInput

ACTIONS = 4


def drawn(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.column_stack([rng.integers(0, 2, rows), rng.integers(0, 3, rows)]), rng.integers(0, ACTIONS, rows)


def test_distinct_contexts_stand_once_and_rows_point_at_them() -> None:
    codes = np.array([[1, 2], [0, 5], [1, 2]])
    found = contexts_of(codes)
    assert found.codes.tolist() == [[0, 5], [1, 2]]
    assert found.codes[found.row].tolist() == codes.tolist()


def test_effects_of_action_context_and_both_are_recovered() -> None:
    rng = np.random.default_rng(0)
    codes, action = drawn(20_000, rng)
    reward = action + 2.0 * codes[:, 0] + 1.5 * (action == codes[:, 1]) + rng.normal(0, 0.1, len(action))
    contexts = contexts_of(codes)
    fitted = fit_reward_model(contexts, action, reward, ACTIONS)
    actions = np.arange(ACTIONS)
    expected = actions + 2.0 * contexts.codes[:, :1] + 1.5 * (actions == contexts.codes[:, 1:2])
    assert fitted.shape == (6, ACTIONS)
    assert np.abs(fitted - expected).max() < 0.1


def test_noise_is_shrunk_to_the_mean() -> None:
    rng = np.random.default_rng(1)
    codes, action = drawn(2_000, rng)
    reward = (rng.random(2_000) < 0.2).astype(float)
    contexts = contexts_of(codes)
    fitted = fit_reward_model(contexts, action, reward, ACTIONS)
    counts = np.bincount(contexts.row * ACTIONS + action, minlength=fitted.size)
    raw = np.bincount(contexts.row * ACTIONS + action, reward, fitted.size) / counts
    assert np.abs(fitted - 0.2).max() < 0.5 * np.abs(raw - 0.2).max()


def test_an_action_never_logged_gets_what_is_known_of_the_rest() -> None:
    codes = np.zeros((100, 1), dtype=np.int64)
    action = np.tile([0, 1], 50)
    fitted = fit_reward_model(contexts_of(codes), action, np.tile([1.0, 3.0], 50), 3)
    assert fitted[0].tolist() == pytest.approx([1, 3, 2])


def test_predictions_stay_within_the_rewards_seen() -> None:
    rng = np.random.default_rng(2)
    codes, action = drawn(500, rng)
    reward = ((action == 0) & (codes[:, 0] == 1)).astype(float)
    fitted = fit_reward_model(contexts_of(codes), action, reward, ACTIONS)
    assert fitted.min() >= 0
    assert fitted.max() <= 1


def test_no_row_sees_its_own_reward() -> None:
    rng = np.random.default_rng(3)
    codes, action = drawn(300, rng)
    reward, contexts, policy = rng.random(300), contexts_of(codes), np.full((6, ACTIONS), 1 / ACTIONS)
    before = cross_fitted(contexts, action, reward, policy, np.random.default_rng(7))
    changed = reward.copy()
    changed[17] = 100
    after = cross_fitted(contexts, action, changed, policy, np.random.default_rng(7))
    for old, new in zip(before, after, strict=True):
        assert old[17] == new[17]
        assert not np.array_equal(old, new)


def test_no_row_sees_the_rewards_of_its_own_cluster() -> None:
    rng = np.random.default_rng(4)
    codes, action = drawn(300, rng)
    reward, contexts, policy = rng.random(300), contexts_of(codes), np.full((6, ACTIONS), 1 / ACTIONS)
    person = np.repeat(np.arange(60), 5)
    before = cross_fitted(contexts, action, reward, policy, np.random.default_rng(7), cluster=person)
    changed = np.where(person == 11, 100.0, reward)
    after = cross_fitted(contexts, action, changed, policy, np.random.default_rng(7), cluster=person)
    for old, new in zip(before, after, strict=True):
        assert old[person == 11].tolist() == new[person == 11].tolist()


def test_the_target_value_is_the_policys_mean_over_the_predictions() -> None:
    rng = np.random.default_rng(5)
    codes, action = drawn(4_000, rng)
    contexts = contexts_of(codes)
    certain = np.zeros((6, ACTIONS))
    certain[:, 2] = 1
    q_logged, q_target = cross_fitted(contexts, action, action * 1.0, certain, rng)
    assert q_target == pytest.approx(np.full(4_000, 2.0), abs=1e-6)
    assert q_logged == pytest.approx(action * 1.0, abs=1e-6)


@pytest.mark.parametrize("folds", [1, 4])
def test_fewer_clusters_than_parts_are_refused(folds: int) -> None:
    contexts, ones = contexts_of(np.zeros((6, 1), dtype=np.int64)), np.ones((1, 2)) / 2
    with pytest.raises(InvalidInput, match="folds"):
        cross_fitted(
            contexts, np.zeros(6, dtype=np.int64), np.ones(6), ones, np.random.default_rng(0), folds=folds, cluster=np.arange(6) // 2
        )
