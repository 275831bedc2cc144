"""The command `recommender bench quality`."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

_file = click.Path(dir_okay=False, path_type=Path)
_folder = click.Path(file_okay=False, path_type=Path)


@click.command("quality")
@click.option("--data", required=True, type=_folder, help="Folder of a set, or of folders of sets.")
@click.option(
    "--set",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this set; may be given several times. An unknown name lists what was found; off-policy is the simulated logs.",
)
@click.option("--build", "build_file", type=click.Path(path_type=Path), help="TOML file of build settings; the default profile without it.")
@click.option("--people", type=click.IntRange(min=1), default=2_000, show_default=True, help="Queries on which sources are compared.")
@click.option("--ablate", is_flag=True, help="Also judge the blend without each of its sources.")
@click.option(
    "--off-policy-replications",
    "replications",
    type=click.IntRange(min=0),
    default=500,
    show_default=True,
    help="Simulated logs on which off-policy intervals are checked; 0 leaves them out.",
)
@click.option("--cache", type=_folder, default=Path(".bench"), show_default=True, help="Folder of embeddings.")
@click.option("--json", "json_file", type=_file, help="Also write all figures to this file.")
@click.option("--markdown", "markdown_file", type=_file, help="Also write the results as a Markdown document to this file.")
@click.option(
    "--log",
    type=_file,
    default=Path("docs/test-evaluations.jsonl"),
    show_default=True,
    help="File to which every look at a test part is appended, before judging and after.",
)
def quality(
    data: Path,
    names: tuple[str, ...],
    build_file: Path | None,
    people: int,
    ablate: bool,
    replications: int,
    cache: Path,
    json_file: Path | None,
    markdown_file: Path | None,
    log: Path,
) -> None:
    """Judge the default profile on the sets of a folder, beside what is published on them.

    Sets are told by the shape of their files. Each is fitted and ranked in full by the serving engine, in a process of its own, one
    profile for all; one that cannot be read is skipped with a sentence. Every look at a test part is appended to the log before judging
    begins, so that nobody can look twice without its being seen.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from eval.bench.apart import Task
    from eval.bench.quality import Scope
    from eval.bench.run import Outputs, run_quality
    from indexing.progress import reporter
    from recommender.placements import Placements
    from recommender.profile import load_build_settings

    settings, placement = load_build_settings(build_file), Placements.default().get("")
    task = Task(settings, placement, Scope(people, ablate), cache, log, datetime.now(UTC))
    command = shlex.join(["recommender", *sys.argv[1:]]) if sys.argv[1:2] == ["bench"] else "recommender bench quality"
    run_quality(
        data,
        names,
        task,
        reporter(sys.stderr),
        outputs=Outputs(json_file, markdown_file, command),
        replications=replications,
    )
