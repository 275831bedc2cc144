"""`recommender tune`: from a store or a data set to a file that builds and evaluations accept."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import soon
from worlds import JUDGED

from eval.command import evaluate
from eval.tuning.command import tune
from recommender.cli import run
from recommender.profile import BuildSettings, load_build_settings
from recommender.settings import Settings


@pytest.fixture
def build(tmp_path: Path, present: BuildSettings) -> Path:
    """A file of settings whose factors tell nothing apart."""
    file = tmp_path / "present.toml"
    file.write_text(f"embedder = {str(present.embedder)!r}\n{JUDGED}[collaborative]\nregularisation = 100000.0\n", encoding="utf-8")
    return file


@pytest.fixture
def one_source(tmp_path: Path) -> Path:
    """A file of placements with one that listens to the collaborative source alone."""
    names = ("content", "item_item", "popular", "fresh", "transitions", "graph", "co_occurrence", "transfer")
    silent = "\n".join(f"{name} = [0, 0, 0, 0]" for name in names)
    file = tmp_path / "placements.toml"
    file.write_text(f"[placements.home.weights]\n{silent}\ncollaborative = [0, 1, 1, 1]\n", encoding="utf-8")
    return file


def test_what_is_written_can_be_judged_and_is_better(
    tmp_path: Path, deployment: Settings, build: Path, one_source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = tmp_path / "build.toml", str(deployment.data)
    words = ["--data", data, "--build", str(build), "--placements", str(one_source), "--only", "collaborative", "--trials", "4"]
    assert run([*words, "--out", str(out)], tune) == 0
    printed = capsys.readouterr().out
    assert "collaborative: 4 trials" in printed
    assert "better on a fresh cut" in printed
    settings = load_build_settings(out)
    assert settings.collaborative.regularisation < 1_000
    assert settings.judging.fewest == 5
    assert f"profile {settings.hash}" in printed
    assert "# result: better on a fresh cut" in out.read_text(encoding="utf-8").splitlines()
    assert run(["--data", data, "--build", str(out), "--placements", str(one_source)], evaluate) == 0
    assert settings.hash in capsys.readouterr().out


def test_a_data_set_is_tuned_on_its_training_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Forty people of two tastes go through eight of twelve things each, every one a step further on.
    lines = [" ".join(map(str, [person, *(100 * (person % 2) + (person + step) % 12 for step in range(8))])) for person in range(40)]
    (tmp_path / "Rings.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["--dataset", str(tmp_path), "--format", "sequences", "--set", "Rings", "--only", "transitions", "--trials", "2"]
    assert run([*words, "--out", str(tmp_path / "build.toml")], tune) == 0
    assert "transitions: 2 trials" in capsys.readouterr().out
    # Of 320 events the last of each person is for the test.
    assert f"order sequence, {320 - 40} events of 40 people" in (tmp_path / "build.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--minutes", "0"], "minutes: given 0.0"),
        (["--minutes", "nan"], "minutes: given nan"),
        (["--only", "moon"], "only: given 'moon', allowed: parts among"),
        (["--format", "lightgcn"], "--format: given 'lightgcn', allowed: only with --dataset"),
        (["--until", "yesterday"], "--until: given 'yesterday'"),
        (["--until", "2020-01-01T00:00:00Z"], "events: given 'none'"),
    ],
)
def test_bad_input_is_told_in_one_line_and_nothing_is_written(
    words: list[str], told: str, tmp_path: Path, deployment: Settings, build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "build.toml"
    assert run(["--data", str(deployment.data), "--build", str(build), "--out", str(out), *words], tune) == 1
    assert f"error: {told}" in capsys.readouterr().err
    assert not out.exists()


def test_a_data_set_needs_its_format_and_excludes_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "build.toml")]
    assert run(["--dataset", str(tmp_path), *out], tune) == 1
    assert "--dataset: given" in capsys.readouterr().err
    assert run(["--dataset", str(tmp_path), "--format", "mind", "--data", str(tmp_path), *out], tune) == 1
    assert "--dataset: given" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--data", str(tmp_path / "nothing"), "--out", str(tmp_path / "nowhere" / "build.toml")], tune) == 1
    assert "error: --out: given" in capsys.readouterr().err


def test_a_killed_tuning_loses_one_trial_at_the_most(
    tmp_path: Path, deployment: Settings, build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = tmp_path / "study.db", tmp_path / "build.toml"
    program = Path(__file__).with_name("tuning_program.py")
    words = [str(deployment.data), str(build), str(study), str(out)]
    with (tmp_path / "told").open("w") as told:
        running = subprocess.Popen([sys.executable, str(program), *words], stderr=told)
    try:
        assert soon(lambda: _finished(study) >= 3 or running.poll() is not None)
        assert running.poll() is None, (tmp_path / "told").read_text()
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    before = _finished(study)
    assert not out.exists()
    options = ["--data", words[0], "--build", words[1], "--study", words[2], "--out", words[3], "--only", "popular"]
    assert run([*options, "--trials", str(before + 1)], tune) == 0
    assert f"popular: {before + 1} trials" in capsys.readouterr().out
    # One of those that were finished stands for the present settings.
    assert f"{before - 1} of an earlier run" in out.read_text(encoding="utf-8")


def _finished(study: Path) -> int:
    """Trials in the file that were completed or pruned."""
    if not study.exists():
        return 0
    connection = sqlite3.connect(f"file:{study}?mode=ro", uri=True)
    try:
        (count,) = connection.execute("select count(*) from trials where state in ('COMPLETE', 'PRUNED')").fetchone()
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()
    return int(count)
