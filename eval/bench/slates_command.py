"""The command `recommender bench slates`."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import click

_file = click.Path(dir_okay=False, path_type=Path)


@click.command("slates")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), required=True, help="Data folder whose store is judged on.")
@click.option("--build", "build_file", type=click.Path(path_type=Path), help="TOML file of build settings; defaults without it.")
@click.option("--placements", type=click.Path(path_type=Path), help="TOML file of placements; the first one is judged.")
@click.option("--people", type=click.IntRange(min=1), default=2_000, show_default=True, help="People judged at the most.")
@click.option("--json", "json_file", type=_file, help="Also write all figures to this file.")
@click.option("--markdown", "markdown_file", type=_file, help="Also write the table to this file.")
def bench_slates(
    data: Path, build_file: Path | None, placements: Path | None, people: int, json_file: Path | None, markdown_file: Path | None
) -> None:
    """Measure what variety, impressions passed over and trials cost in relevance, and what they buy.

    A twin is fitted on events before a cut, as a night does, and makes feeds of all the ways for the same people, who are judged on what
    they took up after it. NDCG is over the whole catalogue; what the ranking as it stands comes to is told first, and all others beside it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from rich.console import Console

    from eval.bench.markdown import block_lines
    from eval.bench.slates import measure_slates
    from eval.bench.slates_block import slates_block
    from eval.bench.terminal import show
    from indexing.progress import reporter
    from recommender.placements import Placements, load_placements
    from recommender.profile import load_build_settings
    from recommender.settings import Settings

    placement = (load_placements(placements) if placements else Placements.default()).get("")
    found = measure_slates(Settings(data=data), load_build_settings(build_file), placement, reporter(sys.stderr), people=people)
    block = slates_block(found)
    console = Console(highlight=False)
    console.print(found.description, markup=False)
    show(console, block)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    if markdown_file is not None:
        command = shlex.join(["recommender", *sys.argv[1:]]) if sys.argv[1:2] == ["bench"] else "recommender bench slates"
        lines = ["# Slates", "", f"Made by `{command}`; do not edit.", "", f"{found.description}.", "", *block_lines(block, "##")]
        markdown_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
