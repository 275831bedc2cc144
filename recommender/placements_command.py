"""`recommender placements`: check a placement file, and show what placements say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from recommender.errors import InvalidInput, NotFound
from recommender.placements import HISTORY_BUCKETS, Placement, Placements, SourceWeights, load_placements
from recommender.settings import load_settings


@click.group(name="placements")
def placements_group() -> None:
    """Check and show placement files."""


@placements_group.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the deployment whose items rules are held against.")
def check(file: Path, data: Path | None) -> None:
    """Say whether FILE is a valid placement file; exit code 1 and the reason when it is not.

    With --data, rules are also asked of the items of the active generation there: of how many each speaks, and which name what no item
    has.
    """
    placements = load_placements(file)
    failed = None if data is None else held_against(placements, data)
    if failed is not None:
        raise failed
    names = list(placements.by_name)
    click.echo(f"{file}: valid, {len(names)} placement{'s' if len(names) != 1 else ''}: {', '.join(names)}")


def held_against(placements: Placements, data: Path) -> InvalidInput | None:
    """Print of how many items each rule speaks in the active generation below `data`; what is wrong with the first that cannot be asked."""
    # A check of the file alone needs neither.
    from recommender.composing.checking import checked_against
    from recommender.generation import Generations

    generations = Generations(load_settings(data=data).generations_path)
    current = generations.current_id()
    if current is None:
        raise NotFound("active generation", str(generations.root), "build one with `recommender reindex`")
    catalogue = generations.load(current, verify=False).contents.catalogue
    rows = Table("placement", "rule", "items", title=f"rules beside the {catalogue.n:,} items of {current}", title_justify="left")
    failed = None
    for found in checked_against(placements, catalogue, datetime.now(UTC)):
        rows.add_row(found.placement, found.rule, "cannot be asked" if found.items is None else f"{found.items:,}")
        failed = failed or found.error
    if rows.row_count:
        Console(highlight=False).print(rows)
    return failed


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
        elif key == "rules":
            rows.add_row(key, f"{len(placement.rules)}, the first is the weightiest" if placement.rules else "none")
            for rule in placement.rules:
                said = rule.model_dump(mode="json", exclude={"name", "do"}, exclude_defaults=True)
                rows.add_row(f"  {rule.name}", " ".join([rule.do, *(f"{name}={shown(given)}" for name, given in said.items())]))
        elif isinstance(value, dict):
            rows.add_row(key, "")
            for name, given in value.items():
                rows.add_row(f"  {name}", shown(given))
        elif key != "version":
            rows.add_row(key, shown(value))
    return rows


def shown(value: object) -> str:
    """A setting's value as the file would have it, or a dash for one that is not set."""
    return "–" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def bucket_names() -> str:
    """The lengths of history that weights are given for: "0 / 1–2 / 3–9 / 10+"."""
    ends = [next_start - 1 for next_start in HISTORY_BUCKETS[1:]]
    ranges = [str(start) if start == end else f"{start}–{end}" for start, end in zip(HISTORY_BUCKETS, ends, strict=False)]
    return " / ".join([*ranges, f"{HISTORY_BUCKETS[-1]}+"])
