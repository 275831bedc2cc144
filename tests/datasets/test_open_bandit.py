"""Open Bandit Data: two logs whose context codes mean the same, in the spellings of its releases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eval.datasets.bandit_log import BanditLog
from eval.datasets.open_bandit import read_open_bandit
from recommender.errors import InvalidInput

HEAD = ",timestamp,item_id,position,click,propensity_score,user_feature_1,user_feature_0,user-item_affinity_0\n"
RANDOM = HEAD + "0,2019-11-24 00:00:00.5+00:00,1,3,0,0.5,b,x,0.0\n1,2019-11-24 00:00:01+00:00,0,1,1,0.5,a,x,1.5\n"
BTS = HEAD.removeprefix(",").replace("propensity_score", "action_prob") + "2019-11-24 00:00:02+00:00,1,2,0,0.9,c,w,0.0\n"
ITEMS = ",item_id,item_feature_0\n0,0,-0.5\n1,1,0.5\n"
START = 1_574_553_600_000_000
"""2019-11-24T00:00Z in µs."""


def folder_of(tmp_path: Path, random: str = RANDOM, bts: str = BTS, items: str = ITEMS) -> Path:
    for name, text in (("random_all", random), ("bts_all", bts), ("item_context", items)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def test_both_logs_are_read_whether_or_not_an_index_column_leads(tmp_path: Path) -> None:
    logs = read_open_bandit(folder_of(tmp_path))
    assert (logs.random.at - START).tolist() == [500_000, 1_000_000]
    assert (logs.random.item.tolist(), logs.random.position.tolist(), logs.random.click.tolist()) == ([1, 0], [2, 0], [False, True])
    assert (logs.random.propensity.tolist(), logs.random.n_items) == ([0.5, 0.5], 2)
    assert (logs.bts.item.tolist(), logs.bts.position.tolist(), logs.bts.propensity.tolist()) == ([1], [1], [0.9])


def test_a_code_of_the_context_means_the_same_in_both_logs(tmp_path: Path) -> None:
    logs = read_open_bandit(folder_of(tmp_path))
    assert logs.random.context_names == logs.bts.context_names == ("user_feature_0", "user_feature_1")
    assert logs.random.context.tolist() == [[1, 1], [1, 0]]
    assert logs.bts.context.tolist() == [[0, 2]]


def test_campaigns_have_files_of_their_own(tmp_path: Path) -> None:
    for name in ("random", "bts"):
        (folder_of(tmp_path) / f"{name}_all.csv").rename(tmp_path / f"{name}_men.csv")
        (tmp_path / f"{name}_men.csv").write_text(RANDOM)
    with pytest.raises(InvalidInput, match=r"random_women.csv: given 'No such file"):
        read_open_bandit(tmp_path, "women")
    assert len(read_open_bandit(tmp_path, "men").bts) == 2


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("0,2019-11-24 00:00:00.5+00:00,1", "0,yesterday,1", r"random_all.csv:2: given 'yesterday'"),
        ("00:00:00.5+00:00,1,3", "00:00:00.5+00:00,2,3", r"random_all.csv:2: given 2, .*item_id from 0 to 1"),
        ("1,3,0,0.5", "1,0,0,0.5", r"random_all.csv:2: given 0, .*position"),
        ("0,1,1,0.5", "0,1,2,0.5", r"random_all.csv:3: given 2, .*click"),
        ("1,3,0,0.5", "1,3,0,0.0", r"random_all.csv:2: given 0.0, .*propensity"),
        ("1,3,0,0.5", "1,3,0,1.5", r"random_all.csv:2: given 1.5, .*propensity"),
        ("1,3,0,0.5", "1,3,0,nan", r"random_all.csv:2: given nan, .*propensity_score"),
        ("1,3,0,0.5", "1,3,,0.5", r"random_all.csv:2: given .*invalid value ''"),
        ("user_feature_0", "feature", r"bts_all.csv: .*the same user features"),
        ("item_id", "item", r"random_all.csv: .*item_id"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert old in RANDOM
    with pytest.raises(InvalidInput, match=where):
        read_open_bandit(folder_of(tmp_path, RANDOM.replace(old, new)))


def test_items_are_numbered_without_gaps(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"item_context.csv: .*without gaps"):
        read_open_bandit(folder_of(tmp_path, items="item_id\n0\n2\n"))


def test_a_log_is_sound_or_refused() -> None:
    sound = {
        "at": np.array([1, 2]),
        "item": np.array([0, 1]),
        "position": np.array([0, 0]),
        "click": np.array([True, False]),
        "propensity": np.array([0.5, 1.0]),
        "context": np.zeros((2, 1), dtype=np.int64),
        "context_names": ("age",),
        "n_items": 2,
    }
    assert len(BanditLog(**sound)) == 2
    for field, value in (
        ("item", np.array([0])),
        ("item", np.array([0, 2])),
        ("item", np.array([-1, 0])),
        ("position", np.array([-1, 0])),
        ("propensity", np.array([0.5, 0.0])),
        ("propensity", np.array([0.5, np.nan])),
        ("context", np.zeros((2, 2), dtype=np.int64)),
        ("context", -np.ones((2, 1), dtype=np.int64)),
    ):
        with pytest.raises(InvalidInput, match=field):
            BanditLog(**{**sound, field: value})
    nothing = {name: value[:0] if isinstance(value, np.ndarray) else value for name, value in sound.items()}
    with pytest.raises(InvalidInput, match="no row"):
        BanditLog(**nothing)
