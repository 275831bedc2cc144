"""The line of the crontab, run as cron runs it: it prints what somebody has to look at, and nothing else."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from deployed import COMMAND, DEPLOY, VARIABLES, parsed, variables_in
from worlds import fill_store, films, watches

from recommender.generation import Generations
from recommender.generation.writer_lock import LOCK

if TYPE_CHECKING:
    from tests.worlds import World

CRONTAB = DEPLOY / "cron/recommender"
ENTRY = re.compile(r"^([\d*/,-]+(?: [\d*/,-]+){4}) (\w+) (.+)$", re.MULTILINE)


def entry() -> tuple[str, str, str]:
    """When, as whom, and what."""
    [(when, user, command)] = ENTRY.findall(CRONTAB.read_text(encoding="utf-8"))
    return when, user, command


def run(data: Path, log: Path) -> subprocess.CompletedProcess[str]:
    """Run the command with the crontab's shell on `data`, by this very installation, with the log in `log`."""
    command = entry()[2].replace(COMMAND, str(Path(sys.executable).with_name("recommender")))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RECOMMENDER_")}
    environment = {**kept, "RECOMMENDER_DATA": str(data), "LOG": str(log)}
    return subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=False)


def test_it_runs_once_a_night_as_the_user_of_the_services_with_variables_that_exist() -> None:
    when, user, command = entry()
    text = CRONTAB.read_text(encoding="utf-8")
    assert (when, user) == ("30 3 * * *", "recommender")
    assert variables_in(text) <= VARIABLES
    assert "RECOMMENDER_DATA=/var/lib/recommender" in text
    assert parsed(command.split(COMMAND)[1].split(">")[0].split()).name == "reindex"
    # In a crontab it would end the command.
    assert "%" not in command


def test_a_build_that_fails_is_printed(tmp_path: Path) -> None:
    result = run(tmp_path / "nothing", tmp_path / "log")

    assert "error: " in result.stdout


def test_a_build_that_finds_another_one_running_prints_nothing(fresh_world: Callable[[], World], tmp_path: Path) -> None:
    data = fresh_world().settings.data
    with (data / "generations" / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = run(data, tmp_path / "log")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert "another build is running" in (tmp_path / "log").read_text()


def test_a_build_that_publishes_prints_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    # Too few people to be judged on, which would take most of the time.
    fill_store(data, films(), watches(people=10))

    result = run(data, tmp_path / "log")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert Generations(data / "generations").current_id() is not None
