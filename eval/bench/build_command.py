"""The command `recommender bench build`."""

from __future__ import annotations

import json
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

_file = click.Path(dir_okay=False, path_type=Path)


@click.command("build")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Data folder whose store is built from, or a world's folder of import files.",
)
@click.option("--build", "build_file", type=click.Path(path_type=Path), help="TOML file of build settings; defaults without it.")
@click.option("--placements", type=click.Path(path_type=Path), help="TOML file of placements; the first one is judged and exported.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that export.")
@click.option("--people", type=click.IntRange(min=1), help="Export the feeds of the first so many people alone; everybody's without it.")
@click.option(
    "--keep", is_flag=True, help="Build in the data folder itself and publish there, as reindex does; a copy is built without it."
)
@click.option(
    "--changed",
    type=click.FloatRange(0, 1, min_open=True),
    help="Build without cached vectors, then once more after this share of the items has got another text, and show both nights.",
)
@click.option("--json", "json_file", type=_file, help="Also write all figures to this file.")
@click.option("--markdown", "markdown_file", type=_file, help="Also write the tables to this file.")
def bench_build(
    data: Path,
    build_file: Path | None,
    placements: Path | None,
    workers: int,
    people: int | None,
    keep: bool,
    changed: float | None,
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Measure a nightly build: what each stage takes, what it leaves on disk, and everybody's feed made from it.

    Seconds by the clock and of processor time, on all cores together, and memory at its peak, for each stage; seconds by the clock for
    each learner. Vectors that a build cached before, or that items bring along, are not embedded again.
    """
    if keep and changed is not None:
        raise click.UsageError("--changed changes items, which --keep would keep: give one of the two")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from rich.console import Console

    from eval.bench.build import measure_build
    from eval.bench.build_blocks import build_blocks, build_markdown, inputs_in_words
    from eval.bench.terminal import show
    from indexing.progress import reporter
    from recommender.placements import Placements, load_placements
    from recommender.profile import load_build_settings

    placement = (load_placements(placements) if placements else Placements.default()).get("")
    settings = load_build_settings(build_file)
    figures = measure_build(
        data, settings, placement, reporter(sys.stderr), now=datetime.now(UTC), workers=workers, people=people, keep=keep, changed=changed
    )
    console = Console(highlight=False)
    console.print(inputs_in_words(figures), markup=False)
    for block in build_blocks(figures):
        show(console, block)
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if markdown_file is not None:
        command = shlex.join(["recommender", *sys.argv[1:]]) if sys.argv[1:2] == ["bench"] else "recommender bench build"
        markdown_file.write_text(build_markdown(figures, command), encoding="utf-8")
