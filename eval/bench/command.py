"""The command `recommender bench`."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click


@click.group("bench")
def bench_group() -> None:
    """Measure quality on public sets, beside what is published."""


@bench_group.command("quality")
@click.option("--data", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the sets, one folder each.")
@click.option("--set", "names", multiple=True, metavar="NAME", help="Only this set; may be given several times.")
@click.option("--build", "build_file", type=click.Path(path_type=Path), help="TOML file of build settings; the default profile without it.")
@click.option("--people", type=click.IntRange(min=1), default=2_000, show_default=True, help="People on whom sources are compared.")
@click.option("--ablate", is_flag=True, help="Also judge the blend without each of its sources.")
@click.option(
    "--cache", type=click.Path(file_okay=False, path_type=Path), default=Path(".bench"), show_default=True, help="Folder of embeddings."
)
@click.option("--json", "json_report", type=click.Path(dir_okay=False, path_type=Path), help="Also write all figures to this file.")
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("docs/test-evaluations.jsonl"),
    show_default=True,
    help="File to which every evaluation of a test part is appended.",
)
def quality(
    data: Path, names: tuple[str, ...], build_file: Path | None, people: int, ablate: bool, cache: Path, json_report: Path | None, log: Path
) -> None:
    """Judge the default profile on public sets, beside what is published on them.

    Each set is fitted and ranked in full by the serving engine, one profile for all; sets whose folder is absent are skipped with a
    word. Every evaluation of a test part is appended to the log, so that nobody can look twice without its being seen.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from eval.bench.run import run_quality
    from indexing.progress import reporter
    from recommender.profile import load_build_settings

    run_quality(
        data,
        names,
        load_build_settings(build_file),
        cache,
        reporter(sys.stderr),
        people=people,
        ablate=ablate,
        json_report=json_report,
        log=log,
        now=datetime.now(UTC),
    )
