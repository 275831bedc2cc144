"""deploy/README.md names every file, and its commands are the real ones."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from deployed import DEPLOY, ROOT, VARIABLES, VERSION, parsed, variables_in

README = (DEPLOY / "README.md").read_text(encoding="utf-8")
PROGRAM = re.compile(r"(?:^|\s)(?:\S+/bin/recommender|recommender-(?:serve|index):\S+) (.+)$")


def lines() -> list[str]:
    """The lines of the shell blocks, those that go on joined."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return "\n".join(blocks).replace("\\\n", " ").splitlines()


COMMANDS = [shlex.split(match[1]) for line in lines() if (match := PROGRAM.search(line)) and not line.startswith("docker build")]
INLINE = [shlex.split(text)[1:] for text in re.findall(r"`(?:/opt/recommender/bin/)?(recommender [a-z][^`]*)`", README)]


def test_there_are_commands_of_every_kind() -> None:
    assert {"store", "serve", "import", "health", "reindex", "watch"} <= {words[0] for words in COMMANDS}


@pytest.mark.parametrize("words", [*COMMANDS, *INLINE], ids=" ".join)
def test_every_command_parses(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Files to import are checked when arguments are parsed.
    monkeypatch.chdir(tmp_path)
    files = [word.removeprefix("/in/") if word.endswith((".jsonl", ".parquet")) else word for word in words]
    for word in set(files) & {"articles.jsonl", "clicks.parquet"}:
        Path(word).touch()
    parsed(files)


def test_every_file_stands_in_the_table() -> None:
    rows = " ".join(line.split("|")[1] for line in README.splitlines() if line.startswith("| `"))
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.name not in ("README.md", "check"):
            folder = path.parent.name
            named = path.name in rows or (path.suffix == ".timer" and "`.timer`" in rows) or f"`{folder}/`" in rows
            assert named, path


def test_every_file_that_a_line_names_exists() -> None:
    named = {text for line in lines() for text in re.findall(r"deploy/[\w./*-]+", line)}
    assert len(named) >= 8
    for text in named:
        assert list(ROOT.glob(text)), text


def test_variables_and_the_release_are_the_real_ones() -> None:
    assert variables_in(README) <= VARIABLES
    assert set(re.findall(r"recommender-(?:serve|index):(\S+)", README)) == {VERSION}
