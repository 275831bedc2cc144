"""README's commands and examples are the real ones."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
from google.protobuf import json_format

from recommender.cli import registered
from recommender.v1 import feed_pb2

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def command_lines() -> list[list[str]]:
    """Every `recommender …` line of the shell blocks, as words."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith(".venv/bin/recommender ")]


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert blocks("sh")[0].split("\n")[:2] == ["make demo", "make test"]
    assert {"demo", "test"} <= targets


def test_every_command_line_parses() -> None:
    lines = command_lines()
    assert len(lines) >= 4
    for words in lines:
        command: click.Command = registered()[words[0]].load()
        rest = words[1:]
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), rest[0])
            assert found is not None, words
            command, rest = found, rest[1:]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known


def test_the_table_lists_every_command_and_sub_command() -> None:
    rows = dict(re.findall(r"^\| `recommender ([\w-]+) ?([^`]*)` \|", README, re.MULTILINE))
    assert set(rows) == set(registered())
    for name, words in rows.items():
        command = registered()[name].load()
        if isinstance(command, click.Group):
            assert set(words.split(" ")[0].replace("\\|", "|").split("|")) == set(command.list_commands(click.Context(command))), name


def test_the_grpcurl_line_asks_what_the_contract_allows() -> None:
    (line,) = [block for block in blocks("sh") if "grpcurl" in block]
    words = shlex.split(line.replace("\\\n", " "))
    request = json_format.ParseDict(json.loads(words[words.index("-d") + 1]), feed_pb2.GetFeedRequest())
    assert request.subject.user_id
    service, method = words[-1].rsplit("/", 1)
    described = feed_pb2.DESCRIPTOR.services_by_name[service.rsplit(".", 1)[1]]
    assert described.full_name == service
    assert method in described.methods_by_name


def test_every_linked_document_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target
