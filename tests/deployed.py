"""What deployment files say, held against the real commands and settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import click

from recommender.cli import umbrella
from recommender.settings import ENVIRONMENT_PREFIX, Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
COMMAND = "/opt/recommender/bin/recommender"
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

VARIABLES = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{ENVIRONMENT_PREFIX}CONFIG"}
"""Every variable that the commands read."""


def variables_in(text: str) -> set[str]:
    """The variables of ours that a text names."""
    return set(re.findall(rf"\b{ENVIRONMENT_PREFIX}[A-Z][A-Z_]*\b", text))


def parsed(words: Sequence[str]) -> click.Command:
    """The command that `words` behind `recommender` run, after they were parsed as the real one parses them. Raises `click.UsageError`."""
    command: click.Command = umbrella
    context = click.Context(umbrella, info_name="recommender")
    rest = list(words)
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
    command.make_context(command.name, rest, parent=context)
    return command
