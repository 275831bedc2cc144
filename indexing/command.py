"""The command `recommender reindex`."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from recommender.errors import ImportRefused, InvalidInput, RecommenderError, Unchanged
from recommender.judging.comparison import comparison_table
from recommender.placements import Placements, load_placements
from recommender.profile import load_build_settings
from recommender.settings import load_settings

if TYPE_CHECKING:
    from recommender.retention import Expired

REFUSED, UNCHANGED, FILES_REFUSED = 3, 4, 5
"""Exit codes beside those of all commands."""


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Build, judge and publish a generation.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of store, generations and caches.")
@click.option("--build", "build_file", type=click.Path(path_type=Path), help="TOML file of build settings; defaults without it.")
@click.option("--placements", type=click.Path(path_type=Path), help="TOML file of placements; the first one is judged.")
@click.option("--embedder", help='Model name or folder, or "auto" for the packaged MiniLM; overrides the build settings.')
@click.option("--keep", type=click.IntRange(min=1), default=3, show_default=True, help="Newest generations to keep.")
@click.option("--force", default="", metavar="REASON", help="Activate even when the gate refuses; the reason is recorded.")
@click.option("--resume", is_flag=True, help="Go on with a build that was killed, if it began with the same settings; else begin anew.")
@click.option("--if-changed", is_flag=True, help="Build nothing where neither settings nor store have changed since the active generation.")
@click.option("--items", "item_files", multiple=True, metavar="FILE", type=_FILE, help="Import these items first; may be repeated.")
@click.option("--events", "event_files", multiple=True, metavar="FILE", type=_FILE, help="Import these events first; may be repeated.")
@click.option("--keep-expired", is_flag=True, help="Let nothing go in the end that has expired by the settings.")
@click.option("--json", "json_report", type=click.Path(path_type=Path), help="Also write the report as JSON to this file.")
def reindex(
    data: Path | None,
    build_file: Path | None,
    placements: Path | None,
    embedder: str | None,
    keep: int,
    force: str,
    resume: bool,
    if_changed: bool,
    item_files: tuple[Path, ...],
    event_files: tuple[Path, ...],
    keep_expired: bool,
    json_report: Path | None,
) -> None:
    """Build a generation from the store, judge it on held-out time, and publish it.

    Progress goes to standard error: bars on a terminal, one JSON line per stage otherwise. Exit status: 0 published, 1 an
    error, 2 wrong usage, 3 built but refused by its gate, 4 nothing has changed (with --if-changed), 5 a file was refused (with --items or
    --events), 75 another build or a pruning is running, 130 interrupted.

    The rows of --items and --events are imported into the store, as `recommender import` does it, and the build reads them there. A
    refused file ends it before anything is built.

    A build may be killed at any point, and the active generation serves on. What its finished stages made is kept until the next
    build, which goes on with it when --resume is given: as of the time and the point of the store at which the killed one began. Without
    --resume, or where settings, placement, libraries or the active generation are others now, it says so and begins anew.

    In the end what has expired by the settings goes, as `recommender store retention` shows it.
    """
    # Torch and BLAS threads that spin while they wait starve each other on small machines.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from indexing.building import reindex as run
    from indexing.progress import reporter
    from indexing.report import report_of, report_of_failure
    from indexing.taking_in import Files

    if json_report is not None and not json_report.absolute().parent.is_dir():
        raise InvalidInput("--json", str(json_report), "a file in a folder that exists")
    settings = load_settings(data=data, placements=placements)
    build = load_build_settings(build_file)
    if embedder:
        build = build.model_copy(update={"embedder": embedder})
    try:
        files = Files.of(item_files, event_files)
    except InvalidInput as error:
        raise click.UsageError(str(error)) from error
    known = load_placements(settings.placements) if settings.placements else Placements.default()

    expired: list[Expired] = []

    def write(report: dict[str, Any]) -> None:
        if json_report is not None:
            retained = {"retention": expired[0].as_json() if expired else None}
            json_report.write_text(json.dumps(report | retained, indent=2) + "\n", encoding="utf-8")

    asked: Any = {
        "keep": keep,
        "force": force,
        "resume": resume,
        "if_changed": if_changed,
        "files": files,
        "keep_expired": keep_expired,
    }
    try:
        outcome = run(settings, build, known.get(""), reporter(sys.stderr), now=datetime.now(UTC), on_expired=expired.append, **asked)
    except Unchanged as error:
        write(report_of_failure(error))
        click.echo(str(error))
        click.get_current_context().exit(UNCHANGED)
    except ImportRefused as error:
        write(report_of_failure(error))
        click.echo(f"error: {error}", err=True)
        click.get_current_context().exit(FILES_REFUSED)
    except RecommenderError as error:
        write(report_of_failure(error))
        raise
    write(report_of(outcome, force))
    manifest, console = outcome.manifest, Console()
    for imported in outcome.imported:
        for line in imported.lines():
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if outcome.twin.comparison is not None:
        console.print(comparison_table(outcome.twin.comparison, f"Judged: {outcome.twin.description}"))
    if outcome.twin.at_cut is not None:
        people = outcome.twin.at_cut.held_out
        strangers = sum(not len(history) for history in people.histories)
        title = f"The same with nothing after the cut revealed: {len(people)} people, {strangers} of them without any history"
        console.print(comparison_table(outcome.twin.at_cut, title))
    for check in manifest.checks:
        console.print(f"{'passed' if check.passed else 'FAILED'}  {check.name}: {check.message}", highlight=False, markup=False)
    state = "active" if outcome.activated else "refused by its gate and kept, not active"
    console.print(
        f"generation {manifest.id}: {state}; {manifest.items} items, {manifest.events} events, "
        f"{outcome.embedded} texts embedded, {outcome.cached} from the cache",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if not outcome.activated:
        console.print(
            f"to serve it all the same: recommender generations activate {manifest.id} --reason REASON",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        click.get_current_context().exit(REFUSED)
