"""The log of activations: what it says, and which generation a rollback goes back to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

Entry = dict[str, Any]


def entry_of(generation_id: str, previous: str | None, *, now: datetime, reason: str, passed: bool, rollback: bool) -> Entry:
    """What the log says of one activation."""
    return {"at": now.isoformat(), "id": generation_id, "previous": previous, "reason": reason, "passed": passed, "rollback": rollback}


def is_entry(entry: object) -> bool:
    """Whether something that was read is an activation."""
    return isinstance(entry, dict) and entry.keys() >= {"id", "previous", "rollback"}


def predecessor(log: Iterable[Mapping[str, Any]], current: str | None, ids: Iterable[str]) -> str | None:
    """The predecessor of `current` by the log, oldest first, that is still among `ids`; a rollback undoes activations, so that two
    rollbacks go back two steps."""
    stack: list[str] = []
    for entry in log:
        # An activation that was killed before it took effect left a line; the next line's `previous` passes over it.
        stack = _up_to(entry["previous"], stack)
        if entry["rollback"]:
            stack = _up_to(entry["id"], stack)
        if stack[-1:] != [entry["id"]]:
            stack.append(entry["id"])
    kept = set(ids) - {current}
    return next((generation_id for generation_id in reversed(_up_to(current, stack)) if generation_id in kept), None)


def _up_to(generation_id: str | None, stack: list[str]) -> list[str]:
    """`stack` up to where `generation_id` stands last, with it; all of it where it does not."""
    return stack[: len(stack) - stack[::-1].index(generation_id)] if generation_id in stack else stack
