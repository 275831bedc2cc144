"""The command `recommender export`."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from indexing.progress import reporter
from recommender.events import SubjectKind
from recommender.placements import SLATE_LIMIT, Placements, load_placements
from recommender.settings import load_settings

TERMINATED = 143
"""128 + SIGTERM, as shells count."""


@click.group("export", short_help="Write everybody's feed to a file.")
def export_group() -> None:
    """Write what the engine makes to files, for mailings, caches and analyses."""


@export_group.command("feeds")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of store, generations and caches.")
@click.option("--placements", type=click.Path(path_type=Path), help="TOML file of placements.")
@click.option("--placement", default="", metavar="NAME", help="Whose settings feeds are made with; the first one without it.")
@click.option("--size", type=click.IntRange(1, SLATE_LIMIT), default=30, show_default=True, help="Items in each feed at the most.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Parquet file to write; replaced when the export is done.")
@click.option(
    "--kind", type=click.Choice(["user", "session", "all"]), default="user", show_default=True, help="Whose feeds: of which kind of person."
)
@click.option(
    "--consenting-only", is_flag=True, help="Leave out who does not allow to be personalised; without it they get everybody's feed."
)
@click.option("--filter", "item_filter", default="", metavar="CEL", help="Condition that items must meet.")
@click.option("--language", default="", help="Only items of this language, or of none.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that share the work.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
def export_feeds_command(
    data: Path | None,
    placements: Path | None,
    placement: str,
    size: int,
    output: Path,
    kind: str,
    consenting_only: bool,
    item_filter: str,
    language: str,
    workers: int,
    as_json: bool,
) -> None:
    """Write every person's feed to a Parquet file, made as a server would make it now.

    One row a person: id and kind, item ids with scores and sources, best first, what the feed rests on, and generation, placement and
    its version. The file appears when all is written, and replaces one that was there; an export that was interrupted leaves nothing and
    is started again. Progress goes to standard error. Exit status: 0 written, 1 an error, 75 another export writes the same file.
    """
    # Each process works on one feed at a time; threads of BLAS in it would fight those of the others.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from recommender.export.feeds import export_feeds

    settings = load_settings(data=data, placements=placements)
    known = load_placements(settings.placements) if settings.placements else Placements.default()
    chosen = known.get(placement)
    signal.signal(signal.SIGTERM, _terminate)
    with reporter(sys.stderr).stage("export feeds") as advance:
        done = export_feeds(
            settings,
            chosen,
            output,
            now=datetime.now(UTC),
            size=size,
            kind=None if kind == "all" else SubjectKind[kind.upper()],
            consenting_only=consenting_only,
            filter=item_filter,
            language=language,
            workers=workers,
            progress=lambda people, of: advance(people, of),
        )
    if as_json:
        click.echo(json.dumps({**vars(done), "placement": chosen.name, "placement_version": chosen.version, "output": str(output)}))
        return
    click.echo(
        f"{output}: {done.feeds} feeds of generation {done.generation_id}, placement {chosen.name} ({chosen.version}), "
        f"in {done.wall_s:.1f} s, {done.feeds / done.cpu_s if done.cpu_s else 0:.0f} a second of processor time"
    )


def _terminate(number: int, frame: FrameType | None) -> None:
    """End as an error ends, so that nothing half-written stays."""
    raise SystemExit(TERMINATED)
