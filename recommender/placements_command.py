"""`recommender placements`: check a placement file, and show what placements say."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from recommender.placements import HISTORY_BUCKETS, Placement, Placements, SourceWeights, load_placements
from recommender.settings import load_settings


@click.group(name="placements")
def placements_group() -> None:
    """Check and show placement files."""


@placements_group.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Say whether FILE is a valid placement file; exit code 1 and the reason when it is not."""
    names = list(load_placements(file).by_name)
    click.echo(f"{file}: valid, {len(names)} placement{'s' if len(names) != 1 else ''}: {', '.join(names)}")


@placements_group.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, placements by name.")
def show(file: Path | None, as_json: bool) -> None:
    """Show every setting of every placement in FILE, defaults included.

    Without FILE: the file that the settings name, or the built-in placement.
    """
    path = file or load_settings().placements
    placements = load_placements(path) if path else Placements.default()
    if as_json:
        click.echo(json.dumps({name: described(placement) for name, placement in placements.by_name.items()}, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    for placement in placements.by_name.values():
        console.print(table(placement))


def described(placement: Placement) -> dict[str, object]:
    """`placement` as JSON takes it: every setting, kinds by name and sorted, and the version."""
    settings: dict[str, object] = placement.model_dump(mode="json", exclude={"name"})
    return {"version": placement.version, **settings, "kinds": sorted(kind.name.lower() for kind in placement.kinds)}


def table(placement: Placement) -> Table:
    """`placement` as a table of settings, the weights of each source by length of history."""
    rows = Table("setting", "value", title=f"{placement.name} (version {placement.version})", title_justify="left")
    weights = placement.weights
    for key, value in described(placement).items():
        if key == "kinds":
            rows.add_row(key, ", ".join(kind.name.lower() for kind in sorted(placement.kinds)) or "all")
        elif key == "weights":
            rows.add_row(key, f"for {bucket_names()} events of history")
            for source in SourceWeights.model_fields:
                rows.add_row(f"  {source}", " / ".join(f"{weight:.12g}" for weight in getattr(weights, source)))
        elif key != "version":
            rows.add_row(key, f"{value:.12g}" if isinstance(value, float) else str(value))
    return rows


def bucket_names() -> str:
    """The lengths of history that weights are given for: "0 / 1–2 / 3–9 / 10+"."""
    ends = [next_start - 1 for next_start in HISTORY_BUCKETS[1:]]
    ranges = [str(start) if start == end else f"{start}–{end}" for start, end in zip(HISTORY_BUCKETS, ends, strict=False)]
    return " / ".join([*ranges, f"{HISTORY_BUCKETS[-1]}+"])
