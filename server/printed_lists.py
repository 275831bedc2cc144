"""Lists from one's own history and lengths of time, as the command line has them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recommender.client import History

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Length(click.ParamType[timedelta]):
    """A length of time, such as 90m, 24h or 7d."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The length; fails for any other text."""
        if isinstance(value, timedelta):
            return value
        # So few digits that no length is too long for Python.
        found = re.fullmatch(r"([0-9]{1,6})([mhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a number of minutes, hours or days, such as 90m, 24h or 7d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


def print_history(history: History, console: Console) -> None:
    """Write a list as a table to `console`, with what it rests on below."""
    table = Table("", "title", "why", "last", "portion", "times")
    for place, entry in enumerate(history.entries, start=1):
        portion = "" if entry.portion is None else f"{entry.portion:.0%}"
        last = entry.last_at.strftime("%Y-%m-%d %H:%M")
        title, reason = escape(entry.item.title or entry.item.id), escape(entry.item.reason)
        table.add_row(str(place), title, reason, last, portion, str(entry.times))
    console.print(table)
    feed = history.feed
    console.print(
        f"{feed.basis.name} list at placement {feed.placement} (version {feed.placement_version}) by generation {feed.generation_id}; "
        f"{feed.eligible_items} items to choose from",
        soft_wrap=True,
    )
