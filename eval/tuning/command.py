"""The command `recommender tune`."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from recommender.errors import InvalidInput
from recommender.judging.comparison import shown_interval
from recommender.placements import Placements, load_placements
from recommender.profile import load_build_settings
from recommender.settings import load_settings
from recommender.times import parse_time, to_micros

_FILE = click.Path(path_type=Path)


@click.command("tune", short_help="Search build settings on held-out parts of the training data.")
@click.option("--data", type=_FILE, help="Folder of the store to tune for; the deployment's without --dataset.")
@click.option("--dataset", type=_FILE, help="Folder of a data set to tune for instead of a store.")
@click.option("--format", "layout", help="Format of the data set: citeulike, lightgcn, mind, movielens or sequences.")
@click.option("--set", "name", default="", help="Name of the set, where the folder holds several.")
@click.option("--cache", type=_FILE, help="Folder in which a data set's embedding vectors are kept; forgotten without it.")
@click.option("--until", metavar="TIME", help="Look at no events from this moment on.")
@click.option("--build", "build_file", type=_FILE, help="TOML file of the present build settings; defaults without it.")
@click.option("--placements", type=_FILE, help="TOML file of placements.")
@click.option("--placement", "spot", default="", help="The placement to tune for; the first one without it.")
@click.option("--minutes", type=float, default=30.0, show_default=True, help="Time that searching and comparing may take.")
@click.option("--trials", type=click.IntRange(min=1), help="Trials of each part at the most; without it as many as the time allows.")
@click.option("--only", default="", metavar="PART,…", help="Tune these parts alone; `docs/tuning.md` lists them.")
@click.option("--study", type=_FILE, help="SQLite file that keeps the trials, so that another run goes on from there.")
@click.option("--people", type=click.IntRange(min=2), default=1_000, show_default=True, help="People judged at the most, in each step.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of cuts and trials; learners keep their own.")
@click.option("--out", required=True, type=_FILE, help="File that the settings are written to, as TOML.")
def tune(
    data: Path | None,
    dataset: Path | None,
    layout: str | None,
    name: str,
    cache: Path | None,
    until: str | None,
    build_file: Path | None,
    placements: Path | None,
    spot: str,
    minutes: float,
    trials: int | None,
    only: str,
    study: Path | None,
    people: int,
    seed: int,
    out: Path,
) -> None:
    """Search build settings on held-out parts of the training data.

    Each source is tuned by itself, then the blend. What is found is compared with the present settings on a cut that the search
    never saw, and written only where it is better there; otherwise the present settings are written. Publishes nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from eval.tuning.budget import Budget
    from eval.tuning.settings_file import changed_line, check_writable, found_line, write_settings
    from eval.tuning.space import parts_named
    from eval.tuning.training_part import TrainingPart, of_dataset, of_store, read_dataset
    from eval.tuning.tuning import Search
    from eval.tuning.tuning import tune as run
    from indexing.progress import reporter

    # Whatever can be refused is refused before data are read.
    check_writable(out)
    how = Search(parts_named([part.strip() for part in only.split(",") if part.strip()]), minutes, trials, people, seed, study)
    Budget.of(minutes, how.clock)
    for option, given in (("--format", layout), ("--set", name), ("--cache", cache)):
        if dataset is None and given:
            raise InvalidInput(option, str(given), "only with --dataset")
    if dataset is not None and (data is not None or layout is None):
        raise InvalidInput("--dataset", str(dataset), "a folder with its --format, and no --data")
    deployment = load_settings(data=data, placements=placements)
    known = load_placements(deployment.placements) if deployment.placements else Placements.default()
    present, placement = load_build_settings(build_file), known.get(spot)
    before = None if until is None else to_micros(parse_time(until, "--until"))
    report = reporter(sys.stderr)
    part: TrainingPart
    if dataset is None:
        part = of_store(deployment, present, report, until=before)
    else:
        assert layout is not None
        with ExitStack() as stack:
            folder = cache or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            part = of_dataset(read_dataset(dataset, layout, name), present, folder, report, until=before)
    tuned = run(part, present, placement, how, report)
    write_settings(out, tuned, part, how, placement, now=datetime.now(UTC))
    console = Console()
    for found in tuned.found:
        console.print(found_line(found), highlight=False, markup=False, soft_wrap=True)
    if tuned.confirmation is not None:
        for name, change in tuned.confirmation.changes.items():
            console.print(changed_line(name, change), highlight=False, markup=False, soft_wrap=True)
    if tuned.confirmation is not None and tuned.confirmation.figures:
        console.print("the blend's NDCG@10 on the fresh cut, before and after:", highlight=False)
        for row in tuned.confirmation.figures:
            means = f"{shown_interval(row.before)}, {shown_interval(row.after)}"
            line = f"  {row.cut}, {row.people} people: {means}; difference {shown_interval(row.difference, signed=True)}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"{tuned.verdict}: {out}, profile {tuned.settings.hash}", highlight=False, markup=False, soft_wrap=True)
