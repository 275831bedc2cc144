from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from indexing.progress import Bars, Lines, reporter, within
from recommender.settings import Settings

STAGES = ["read", "embed", "index vectors", "judge a twin", "learn", "check", "publish"]


def test_each_stage_is_one_line_at_its_start_and_one_at_its_end() -> None:
    stream = StringIO()
    lines = Lines(stream)
    with lines.stage("read") as advance:
        advance(3, 10)
        advance(10, 10)
    with lines.stage("check"):
        pass
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(record["stage"], record["state"]) for record in told] == [
        ("read", "started"),
        ("read", "finished"),
        ("check", "started"),
        ("check", "finished"),
    ]
    assert [record["done"] for record in told if record["state"] == "finished"] == [10, 0]
    assert all(record["seconds"] >= 0 for record in told if record["state"] == "finished")


def test_each_part_is_one_line_of_its_stage_at_its_end() -> None:
    stream = StringIO()
    lines = Lines(stream)
    with lines.stage("learn"), within(lines.part, "twin")("graph"):
        pass

    [_, part, _] = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert part.pop("seconds") >= 0
    assert part == {"stage": "learn", "state": "part", "part": "twin: graph"}


def test_a_stage_that_fails_is_not_said_to_be_finished() -> None:
    stream = StringIO()
    with pytest.raises(KeyError), Lines(stream).stage("learn"):
        raise KeyError
    assert [json.loads(line)["state"] for line in stream.getvalue().splitlines()] == ["started"]


def test_bars_are_for_terminals_and_lines_for_everything_else() -> None:
    assert isinstance(reporter(StringIO()), Lines)
    leading, following = pty.openpty()
    with os.fdopen(leading), os.fdopen(following, "w") as terminal:
        assert isinstance(reporter(terminal), Bars)


def test_a_build_on_a_terminal_shows_a_finished_bar_for_every_stage(modelless: Callable[..., Settings], quick: Path) -> None:
    leading, following = pty.openpty()
    command = [Path(sys.executable).parent / "recommender", "reindex", "--data", modelless().data, "--build", quick]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, stdin=following, stdout=subprocess.DEVNULL, stderr=following, env=environment) as process:
        os.close(following)
        shown = b""
        try:
            while part := os.read(leading, 65_536):
                shown += part
        except OSError:
            # Linux tells so that the other side of a terminal has been closed.
            os.close(leading)
    assert process.returncode == 0
    text = shown.decode()
    assert "Traceback" not in text
    for stage in STAGES:
        assert f"✓ {stage}" in text
