"""The command `recommender bench serve`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click

_file = click.Path(dir_okay=False, path_type=Path)


@click.command("serve")
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of a store with an active generation."
)
@click.option("--seconds", type=click.FloatRange(min=0.2, max=600), default=5.0, show_default=True, help="How long each figure is taken.")
@click.option(
    "--swap-seconds",
    type=click.FloatRange(min=5, max=600),
    default=20.0,
    show_default=True,
    help="How long calls go on at least while a generation takes over, and as long without.",
)
@click.option("--connections", type=click.IntRange(1, 256), default=8, show_default=True, help="Connections to the server.")
@click.option("--runs", type=click.IntRange(1, 20), default=3, show_default=True, help="Servers started, one after the other.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same calls.")
@click.option(
    "--placements",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of placements to serve, the first of which is asked for; the default one without it.",
)
@click.option("--profile", is_flag=True, help="Also tell where the time of one feed goes, stage by stage.")
@click.option("--json", "json_file", type=_file, help="Also write all figures to this file.")
@click.option("--markdown", "markdown_file", type=_file, help="Also write the tables to this file.")
def bench_serve(
    data: Path,
    seconds: float,
    swap_seconds: float,
    connections: int,
    runs: int,
    seed: int,
    placements: Path | None,
    profile: bool,
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Measure what a server costs and how long it takes to answer.

    The real server runs on one processor and the load on another, over connections on this machine. Seven calls in ten are feeds of
    thirty items with a filter, for people with a history, newcomers and sessions; the others record events, ask for similar items and
    for what is popular. Events go into a copy of the store. Beside every figure stands that of a canned reply of the same server.
    Processor time of a method is of the moments in which nobody else slowed the processor down, beside that of all the time.
    """
    from rich.console import Console

    from server.bench.report import markdown, show
    from server.bench.run import Plan, measure

    console = Console(highlight=False)
    plan = Plan.with_processors(
        seconds=seconds,
        swap_seconds=swap_seconds,
        connections=connections,
        runs=runs,
        seed=seed,
        profile=profile,
        placements=placements,
    )
    figures = measure(data, plan, lambda sentence: click.echo(sentence, err=True))
    show(figures, console)
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if markdown_file is not None:
        command = shlex.join(["recommender", *sys.argv[1:]]) if sys.argv[1:2] == ["bench"] else "recommender bench serve"
        markdown_file.write_text(markdown(figures, command), encoding="utf-8")
