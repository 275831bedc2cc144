"""The units start the real commands with settings that exist, shut in as far as they can be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from deployed import COMMAND, DEPLOY, ROOT, VARIABLES, parsed, variables_in

from indexing.command import REFUSED
from recommender.cli import LOCKED
from recommender.settings import Settings, load_settings

UNITS = DEPLOY / "systemd"
SERVICES = ("serve", "watch", "reindex")
MOST_EXPOSED = 2.0
"""Of ten, as `systemd-analyze security` counts; 1.7 is what remains with a network and compiled loops."""

analysed = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def settings_of(unit: Path, section: str) -> dict[str, list[str]]:
    """The settings of a section of a unit file by name, in order."""
    found: dict[str, list[str]] = {}
    inside = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        if re.fullmatch(r"\[\w+\]", line):
            inside = line[1:-1]
        elif inside == section and line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def service(name: str) -> dict[str, list[str]]:
    return settings_of(UNITS / f"recommender-{name}.service", "Service")


def analyse(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze on copies of the units in `folder` that start this very installation's command."""
    for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.timer")):
        text = unit.read_text(encoding="utf-8").replace(COMMAND, "/bin/true")
        (folder / unit.name).write_text(text, encoding="utf-8")
    command = ["systemd-analyze", *arguments, *(str(path) for path in sorted(folder.iterdir()))]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "SYSTEMD_PAGER": "cat"})


@analysed
def test_systemd_finds_no_fault_with_the_units(tmp_path: Path) -> None:
    result = analyse(tmp_path, "verify", "--man=no")

    ours = [line for line in (result.stdout + result.stderr).splitlines() if "recommender" in line]
    assert (result.returncode, ours) == (0, [])


@analysed
def test_systemd_finds_a_fault_where_there_is_one(tmp_path: Path) -> None:
    shutil.copytree(UNITS, tmp_path / "edited")
    edited = tmp_path / "edited" / "recommender-serve.service"
    edited.write_text(edited.read_text().replace("Restart=always", "Restart=mostly"), encoding="utf-8")

    result = subprocess.run(["systemd-analyze", "verify", "--man=no", str(edited)], capture_output=True, text=True, check=False)

    assert "mostly" in result.stderr


@analysed
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_as_little_as_it_can_be(name: str) -> None:
    unit = UNITS / f"recommender-{name}.service"
    threshold = f"--threshold={MOST_EXPOSED * 10:.0f}"
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", threshold, str(unit)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if "offline" in result.stderr:
        pytest.skip("this systemd-analyze knows no --offline")

    assert result.returncode == 0, result.stdout[-200:]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_a_command_that_exists(name: str) -> None:
    [line] = service(name)["ExecStart"]
    program, *words = line.split()
    assert program == COMMAND
    assert words[0] == name
    assert parsed(words).name == name


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_the_same_user_data_caches_and_walls(name: str) -> None:
    walls = ("User", "Group", "EnvironmentFile", "StateDirectory", "CacheDirectory", "ReadWritePaths", "ProtectSystem", "NoNewPrivileges")
    ours, servers = service(name), service("serve")
    assert [ours[wall] for wall in walls] == [servers[wall] for wall in walls]
    assert ours["ProtectSystem"] == ["strict"]
    assert ours["NoNewPrivileges"] == ["yes"]
    assert {"RECOMMENDER_DATA=%S/recommender", "NUMBA_CACHE_DIR=%C/recommender/loops"} <= set(ours["Environment"])
    [writable] = ours["ReadWritePaths"]
    assert {"%S/recommender", "%C/recommender"} == set(writable.split())
    # Loops are compiled in memory, which this would forbid.
    assert "MemoryDenyWriteExecute" not in ours
    user = (UNITS / "sysusers.conf").read_text(encoding="utf-8")
    assert re.search(rf"^u {ours['User'][0]} ", user, re.MULTILINE)


def test_a_server_is_given_the_time_that_its_calls_may_take() -> None:
    [limit] = service("serve")["TimeoutStopSec"]
    assert float(limit) >= load_settings(**example()).grace_s + 5
    assert service("serve")["KillSignal"] == ["SIGTERM"]


def test_a_build_that_finds_another_one_running_is_no_failure_and_a_refused_one_is() -> None:
    assert service("reindex")["SuccessExitStatus"] == [str(LOCKED)]
    assert str(REFUSED) not in service("reindex")["SuccessExitStatus"]
    assert service("reindex")["Type"] == ["oneshot"]
    assert "OnCalendar" in settings_of(UNITS / "recommender-reindex.timer", "Timer")


def example(commented: bool = False) -> dict[str, str]:
    """The settings of the example of an environment file, and those that are commented out with it."""
    lines = (UNITS / "recommender.env").read_text(encoding="utf-8").splitlines()
    pattern = rf"{'#?' if commented else ''}RECOMMENDER_(\w+)=(\S+)"
    matches = [re.fullmatch(pattern, line) for line in lines]
    return {match[1].lower(): match[2] for match in matches if match}


def test_every_setting_of_the_example_exists_and_may_have_the_value_that_it_is_given() -> None:
    given = example(commented=True)
    assert len(given) > len(example()) > 4
    assert set(given) <= set(Settings.model_fields)
    load_settings(**given)


def test_every_variable_that_a_unit_names_exists() -> None:
    for path in UNITS.iterdir():
        assert variables_in(path.read_text(encoding="utf-8")) <= VARIABLES, path.name


def test_the_example_is_what_the_units_say_of_the_data_folder() -> None:
    # %S is /var/lib for services of the system.
    assert example()["data"] == "/var/lib/recommender"
    assert (ROOT / "deploy/systemd/recommender.env").read_text(encoding="utf-8").count("RECOMMENDER_DATA=") == 1
