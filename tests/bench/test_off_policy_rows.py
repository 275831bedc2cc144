"""Off-policy estimates stand beside the benchmarks: of Open Bandit's logs in both directions, and of logs whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import run, two_tastes

from eval.bench.bandits import Simulated, simulate
from eval.off_policy.replications import Performance
from recommender.errors import RecommenderError
from recommender.judging import Interval


def bandit_folder(folder: Path, rows: int = 400) -> Path:
    """Five items, of which the last is clicked most; the second policy shows it more often."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    (folder / "item_context.csv").write_text("item_id\n" + "".join(f"{item}\n" for item in range(5)))
    for name, policy in (("random", np.full(5, 0.2)), ("bts", np.array([0.1, 0.1, 0.1, 0.2, 0.5]))):
        items = rng.choice(5, rows, p=policy)
        clicks = rng.random(rows) < np.array([0.1, 0.1, 0.1, 0.2, 0.4])[items]
        lines = [
            f"2019-11-24 00:00:01+00:00,{item},{place % 3 + 1},{int(click)},{policy[item]},a\n"
            for place, (item, click) in enumerate(zip(items.tolist(), clicks, strict=True))
        ]
        head = "timestamp,item_id,position,click,propensity_score,user_feature_0\n"
        (folder / f"{name}_all.csv").write_text(head + "".join(lines))
    return folder


def test_both_directions_stand_beside_the_on_policy_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bandit_folder(tmp_path / "obd")
    report = run(tmp_path, [], tmp_path)
    assert report.directions is not None
    forth, back = report.directions["obd"]
    assert (forth.logged, forth.judged, back.logged, back.judged) == ("random", "bts", "bts", "random")
    shown = " ".join(capsys.readouterr().out.split())
    assert "obd: click rate of bts from the log of random" in shown
    assert "on-policy, bts's own log" in shown
    assert f"effective sample size of {forth.diagnostics.effective:,.0f}" in shown
    one, other = json.loads((tmp_path / "figures.json").read_text())["off_policy"]["logs"]["obd"]
    assert one["estimates"]["ips"]["mean"] == forth.estimates["ips"].mean
    assert other["on_policy"]["mean"] == back.on_policy.mean
    rows = [line.split(" | ") for line in (tmp_path / "quality.md").read_text().splitlines() if line.startswith("| obd |")]
    assert [row[1] for row in rows] == ["click rate of bts from the log of random, DR", "click rate of random from the log of bts, DR"]
    assert all("effective sample size" in row[2] and "on-policy" in row[2] for row in rows)


def test_a_log_that_cannot_be_read_is_skipped_with_a_sentence(tmp_path: Path) -> None:
    (bandit_folder(tmp_path / "obd") / "bts_all.csv").write_text("nothing\n")
    with pytest.raises(RecommenderError, match=r"nothing was judged: obd: skipped, .*bts_all.csv"):
        run(tmp_path, [], tmp_path)


def test_simulated_logs_are_drawn_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_tastes(tmp_path / "gowalla")
    report = run(tmp_path, ["off-policy"], tmp_path, replications=3)
    assert not report.results
    assert [world.logs for world in report.simulated] == [3, 3]
    assert "off-policy: 3 simulated logs of 10,000 decisions" in capsys.readouterr().out.replace("\n", " ")
    assert len(json.loads((tmp_path / "figures.json").read_text())["off_policy"]["simulated"]) == 2
    text = (tmp_path / "quality.md").read_text()
    assert "the naive mean shown biased: reached" in text
    assert text.count("| off-policy | coverage of 95 % intervals, 3 simulated logs") == 2


def test_what_is_asked_of_simulated_logs() -> None:
    def performance(bias: float, width: float, coverage: float) -> Performance:
        return Performance(bias, max(abs(bias), 0.02), width, Interval(coverage, coverage, coverage))

    names = dict.fromkeys(("ips", "snips"), performance(0, 0.2, 0.95))
    sound = Simulated(0.1, 100, 10, {**names, "naive": performance(0.5, 0.1, 0), "dr": performance(0, 0.1, 0.94)})
    assert (sound.covers, sound.naive_is_biased, sound.is_narrower) == (True, True, True)
    changed = {**sound.performance, "naive": performance(0.001, 0.1, 0.95), "dr": performance(0, 0.3, 0.92)}
    other = replace(sound, performance=changed)
    assert (other.covers, other.naive_is_biased, other.is_narrower) == (False, False, False)


def test_worlds_are_the_same_each_time() -> None:
    assert simulate(1, rows=50)[0].performance["ips"].bias == simulate(1, rows=50)[0].performance["ips"].bias
