"""The sub-commands of `recommender off-policy`, on small files of the public sets' formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from eval.off_policy.command import off_policy_group
from recommender.cli import run


def called(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(off_policy_group, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text("reward,propensity,target_probability\n1,0.5,1\n0,0.5,0.25\n1,0.25,0.75\n", encoding="utf-8")
    return path


@pytest.fixture
def obd(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "item_context.csv").write_text(",item_id,item_feature_0\n" + "".join(f"{n},{n},0.5\n" for n in range(4)), encoding="utf-8")
    for policy, chances in (("random", [0.25] * 4), ("bts", [0.1, 0.2, 0.3, 0.4])):
        rows = [",timestamp,item_id,position,click,propensity_score,user_feature_0"]
        for number, item in enumerate(rng.choice(4, 400, p=chances)):
            click, position, person = int(rng.random() < 0.1 * (item + 1)), rng.integers(1, 4), rng.integers(0, 2)
            rows.append(f"{number},2019-11-24 00:00:17.004101+00:00,{item},{position},{click},{chances[item]},person-{person}")
        (tmp_path / f"{policy}_all.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def coat(tmp_path: Path) -> Path:
    (tmp_path / "train.ascii").write_text("4 0 0\n0 2 5\n", encoding="utf-8")
    (tmp_path / "test.ascii").write_text("0 1 0\n3 0 0\n", encoding="utf-8")
    (tmp_path / "propensities.ascii").write_text("5e-1 2e-1 3e-1\n1e-1 4e-1 2.5e-1\n", encoding="utf-8")
    return tmp_path


def test_estimate_tells_values_weights_and_the_cost_of_clipping(log: Path) -> None:
    figures = json.loads(called("estimate", log, "--clip", "2.5", "--json").stdout)
    assert figures["estimates"]["naive"]["mean"] == pytest.approx(2 / 3)
    assert figures["estimates"]["ips"]["mean"] == pytest.approx((2 + 3) / 3)
    assert figures["estimates"]["snips"]["mean"] == pytest.approx((2 + 3) / (2 + 0.5 + 3))
    assert figures["estimates"]["clipped"]["mean"] == pytest.approx((2 + 2.5) / 3)
    assert figures["clipping_bias"] == {"estimate": pytest.approx(-0.5 / 3), "bound": pytest.approx(0.5 / 3)}
    assert figures["diagnostics"]["largest"] == 3


def test_estimate_prints_a_table(log: Path) -> None:
    shown = called("estimate", log).stdout
    for words in ("naive mean", "SNIPS", "clipped IPS", "1.667", "largest", "clipping at 10 shifts by"):
        assert words in shown
    assert "DR" not in shown


def test_a_log_without_any_reward_has_no_interval_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("reward,propensity,target_probability\n0,0.5,1\n0,0.5,0.25\n", encoding="utf-8")
    assert json.loads(called("estimate", tmp_path / "log.csv", "--json").stdout)["estimates"]["ips"] == {
        "mean": 0,
        "low": None,
        "high": None,
    }
    assert "–" in called("estimate", tmp_path / "log.csv").stdout


def test_a_file_that_is_no_log_is_an_expected_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.csv").write_text("reward\n1\n", encoding="utf-8")
    assert run(["estimate", str(tmp_path / "log.csv")], off_policy_group) == 1
    assert "error: columns" in capsys.readouterr().err


def test_simulate_judges_every_estimate_in_every_world() -> None:
    options = ("simulate", "--replications", "5", "--rows", "300", "--click-rate", "0.1", "--click-rate", "0.3")
    figures = json.loads(called(*options, "--json").stdout)
    assert [world["click_rate"] for world in figures["worlds"]] == [0.1, 0.3]
    for world in figures["worlds"]:
        assert list(world["estimates"]) == ["naive", "ips", "snips", "clipped", "dr"]
        assert set(world["estimates"]["dr"]) == {"bias", "rmse", "width", "coverage"}
    shown = called(*options).stdout
    assert shown.count("naive mean") == 2
    assert "coverage" in shown


def test_simulate_repeats_itself_by_seed_and_clip_and_changes_with_them() -> None:
    options = ("simulate", "--replications", "3", "--rows", "300", "--click-rate", "0.3", "--json")
    first = json.loads(called(*options).stdout)["worlds"]
    assert json.loads(called(*options).stdout)["worlds"] == first
    assert json.loads(called(*options, "--seed", "1").stdout)["worlds"] != first
    tighter = json.loads(called(*options, "--clip", "1").stdout)["worlds"]
    assert tighter[0]["estimates"]["clipped"] != first[0]["estimates"]["clipped"]
    assert tighter[0]["estimates"]["ips"] == first[0]["estimates"]["ips"]


def test_simulate_without_a_single_click_writes_null_for_what_is_unknown() -> None:
    figures = json.loads(called("simulate", "--replications", "2", "--rows", "5", "--click-rate", "0.000001", "--json").stdout)
    assert figures["worlds"][0]["estimates"]["ips"]["width"] is None
    assert figures["worlds"][0]["estimates"]["ips"]["coverage"]["mean"] == 0


def test_open_bandit_goes_both_ways(obd: Path) -> None:
    figures = json.loads(called("open-bandit", "--data", obd, "--json").stdout)
    assert list(figures) == ["random to bts", "bts to random"]
    forth, back = figures.values()
    assert forth["on_policy"] == back["estimates"]["naive"]
    assert back["on_policy"] == forth["estimates"]["naive"]
    assert back["diagnostics"]["largest"] == pytest.approx(0.25 / 0.1)
    shown = called("open-bandit", "--data", obd).stdout
    assert "Click rate of bts, from the log of random" in shown
    assert "on-policy (random's own log)" in shown


def test_the_seed_of_open_bandit_deals_the_rows_to_the_parts(obd: Path) -> None:
    one, other = (json.loads(called("open-bandit", "--data", obd, "--json", "--seed", seed).stdout) for seed in "01")
    assert one["random to bts"]["estimates"]["ips"] == other["random to bts"]["estimates"]["ips"]
    assert one["random to bts"]["estimates"]["dr"] != other["random to bts"]["estimates"]["dr"]


def test_coat_tells_the_weighted_mean_beside_the_truth(coat: Path) -> None:
    figures = json.loads(called("coat", "--data", coat, "--json").stdout)
    assert figures["estimates"]["ips"]["mean"] == pytest.approx((4 / 0.5 + 2 / 0.4 + 5 / 0.25) / 6)
    assert figures["truth"]["mean"] == 2
    shown = called("coat", "--data", coat).stdout
    assert "drawn at random (the truth)" in shown
    assert "SNIPS" in shown
