"""The command `recommender generations diff`: two generations side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from recommender.generation.difference import Changed, GenerationDiff
from recommender.generation.manifest import GateCheck, Metric

WIDEST = 500
"""Columns of a table at the most."""
NAMES = {"added": "items added", "removed": "items removed", "changed": "items changed", "embedded": "vectors changed"}


def diff_json(diff: GenerationDiff) -> str:
    """The difference as JSON."""
    shown = asdict(diff)
    for name in ("metrics", "checks"):
        shown[name] = {key: [each and each.model_dump() for each in pair] for key, pair in getattr(diff, name).items()}
    for name in ("before", "after"):
        shown[name] = getattr(diff, name).model_dump(mode="json", exclude={"metrics", "checks", "profile", "files"})
    return json.dumps(shown, indent=2)


def show_diff(diff: GenerationDiff, console: Console) -> None:
    """Print the difference as tables."""
    rows = [("id", diff.before.id, diff.after.id)]
    for name in ("created_at", "items", "events", "watermark", "embedder", "profile_hash"):
        rows.append((name, str(getattr(diff.before, name)), str(getattr(diff.after, name))))
    ours, theirs = ("passed" if manifest.passed else "refused" for manifest in (diff.before, diff.after))
    rows.append(("gate", ours, theirs))
    console.print(_table("", rows))
    for title, what in (("settings", diff.settings), ("libraries", diff.libraries)):
        if what:
            console.print(_table(title, [(name, _plain(ours), _plain(theirs)) for name, (ours, theirs) in what.items()]))
    console.print("\n".join(_items(diff)), highlight=False, markup=False, soft_wrap=True)
    if diff.metrics:
        console.print(_table("metric", [(name, _metric(ours), _metric(theirs)) for name, (ours, theirs) in diff.metrics.items()]))
    console.print(_table("check", [(name, _check(ours), _check(theirs)) for name, (ours, theirs) in diff.checks.items()]))


def _items(diff: GenerationDiff) -> Iterator[str]:
    for name, what in NAMES.items():
        items: Changed = getattr(diff, name)
        more = " …" if items.count > len(items.ids) else ""
        yield f"{items.count} {what}" + (f": {', '.join(items.ids)}{more}" if items.count else "")


def _table(heading: str, rows: list[tuple[str, str, str]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in (heading, "before", "after"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _metric(metric: Metric | None) -> str:
    return "" if metric is None else f"{metric.mean:.4f} [{metric.low:.4f}, {metric.high:.4f}]"


def _check(check: GateCheck | None) -> str:
    return "" if check is None else "passed" if check.passed else f"FAILED: {check.message}"
