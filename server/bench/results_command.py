"""The command `recommender bench results`."""

from __future__ import annotations

import shlex
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

CHANGED = ("--changed", "0.01", "--people", "100")
"""The share of texts that change between two nights; hardly anybody's feed is exported, which the build has shown."""

_folder = click.Path(file_okay=False, exists=True, path_type=Path)


@click.command("results")
@click.option("--data", type=_folder, help="Data folder of a world of 100 thousand items with an active generation: serving.")
@click.option("--million", type=_folder, help="Data folder of a world of a million items with an active generation: serving.")
@click.option("--build", "build_data", type=_folder, help="Data folder or world of what is built in full: building and exporting.")
@click.option("--live", type=_folder, help="Data folder with an active generation: publishing and hiding items.")
@click.option("--nights", type=_folder, help="World of texts: a night without cached vectors, and one after 1 % changed.")
@click.option("--search/--no-search", default=True, show_default=True, help="Whether search is measured, among 100 thousand and a million.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("RESULTS.md"), show_default=True)
@click.option(
    "--figures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps each benchmark's figures; those that lie there are not measured again.",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0.2, max=600), default=5.0, show_default=True, help="How long serving's figures are taken."
)
@click.option(
    "--runs", type=click.IntRange(1, 20), default=3, show_default=True, help="Servers started, of whose figures medians are told."
)
def bench_results(
    data: Path | None,
    million: Path | None,
    build_data: Path | None,
    live: Path | None,
    nights: Path | None,
    search: bool,
    output: Path,
    figures: Path | None,
    seconds: float,
    runs: int,
) -> None:
    """Run all benchmarks and write what they reached beside what they should.

    Each runs by itself, as the sub-command that it is. What cannot be measured is left out, and the table says why.
    """
    from server.bench.composing import ALL_OF_IT, write_placements
    from server.bench.results import Part, document, measure_all
    from server.bench.targets import BUILD, COMPOSED, LIVE, MILLION, NIGHTS, SEARCH, SEARCH_MILLION, SERVE

    times = ("--seconds", str(seconds), "--runs", str(runs))
    with ExitStack() as stack:
        folder = figures or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        composed = folder / "composed.toml"
        write_placements(composed, ALL_OF_IT)
        parts = [
            Part(SERVE, None if data is None else ("serve", "--data", str(data), *times), "--data was not given"),
            Part(
                COMPOSED,
                None if data is None else ("serve", "--data", str(data), "--placements", str(composed), *times),
                "--data was not given",
            ),
            Part(MILLION, None if million is None else ("serve", "--data", str(million), *times), "--million was not given"),
            Part(SEARCH, ("search",) if search else None, "--no-search was given"),
            Part(SEARCH_MILLION, ("search", "--rows", "1000000") if search else None, "--no-search was given"),
            Part(BUILD, None if build_data is None else ("build", "--data", str(build_data)), "--build was not given"),
            Part(LIVE, None if live is None else ("live", "--data", str(live)), "--live was not given"),
            Part(NIGHTS, None if nights is None else ("build", "--data", str(nights), *CHANGED), "--nights was not given"),
        ]
        results = measure_all(parts, folder, lambda sentence: click.echo(sentence, err=True))
    command = shlex.join(["recommender", *sys.argv[1:]]) if sys.argv[1:2] == ["bench"] else "recommender bench results"
    output.write_text(document(results, command), encoding="utf-8")
    click.echo(f"written: {output}")
