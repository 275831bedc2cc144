"""docs/popular.md: its examples run, and what it says of limits and defaults is so."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from recommender.client import HistoryList
from recommender.events import Event, EventType, Subject
from recommender.settings import Settings
from server.feed_command import feed as feed_command

if TYPE_CHECKING:
    from tests.server.conftest import Deployment

PAGE = (Path(__file__).parents[2] / "docs/popular.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"^    recommender feed (.*)$", PAGE, re.MULTILINE)


def test_there_are_examples() -> None:
    assert (len(EXAMPLES), len(COMMANDS)) == (3, 2)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(live: Deployment, example: str) -> None:
    names: dict[str, Any] = {"client": live.client, "timedelta": timedelta, "HistoryList": HistoryList}
    exec(example, names | {"Event": Event, "EventType": EventType, "Subject": Subject})


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(live: Deployment, command: str) -> None:
    result = CliRunner().invoke(feed_command, [*command.split(), "--target", live.server.addresses.listen])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("setting", ["trend_days", "trend_people", "trend_item_people"])
def test_defaults_are_those_of_the_settings(setting: str) -> None:
    told = re.findall(rf"`{setting}` \((\d+)\)", PAGE)
    assert told == [str(Settings.model_fields[setting].default)]
