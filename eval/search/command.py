"""The command `recommender bench search`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

_file = click.Path(dir_okay=False, path_type=Path)
WIDTH = 180
"""Columns of tables that are written into a file."""


@click.command("search")
@click.option("--rows", type=click.IntRange(1_000, 10_000_000), default=100_000, show_default=True, help="Vectors.")
@click.option("--dimension", type=click.IntRange(8, 4_096), default=384, show_default=True, help="Length of the vectors.")
@click.option("--queries", type=click.IntRange(3, 10_000), default=99, show_default=True, help="Queries; memory grows with them.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same vectors and queries.")
@click.option("--set", "names", multiple=True, metavar="NAME", help="Only these vectors: text or near-duplicates; both without it.")
@click.option(
    "--titles",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    metavar="FOLDER",
    help="Instead, type titles of the active generation of this data folder, as they stand and misspelt, --queries of them at the most.",
)
@click.option("--json", "json_file", type=_file, help="Also write all figures to this file.")
@click.option("--markdown", "markdown_file", type=_file, help="Also write the tables to this file.")
def search(
    rows: int,
    dimension: int,
    queries: int,
    seed: int,
    names: tuple[str, ...],
    titles: Path | None,
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Measure how many of the nearest vectors a search finds, and what it costs.

    Vectors are indexed as a build does and searched as a feed does, one query at a time on one thread: without a filter, with filters of
    every selectivity, with rows that are gone, and under delta segments. Beside each stands how the search went about it, and recall
    against exact search of the vectors as they were before indexing.

    With --titles, how often what is typed finds its item, by words, by spelling and by meaning.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    import json
    import tempfile
    from importlib.metadata import version

    import faiss
    from rich.console import Console

    from eval.search.measuring import Plan, measure, worst
    from eval.search.report import markdown, show
    from eval.search.vector_sets import SETS
    from recommender.errors import InvalidInput

    for name in names:
        if name not in SETS:
            raise InvalidInput("set", name, ", ".join(SETS))
    faiss.omp_set_num_threads(1)
    if titles is not None:
        from eval.search.titles_report import of_folder, show_titles

        typed = of_folder(titles, seed=seed, most=queries)
        show_titles(typed, Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH))
        if json_file is not None:
            json_file.write_text(json.dumps(typed, indent=2) + "\n", encoding="utf-8")
        return
    plan = Plan(rows, dimension, queries, seed)
    with tempfile.TemporaryDirectory(prefix="bench-search-") as work:
        found = measure(plan, names or tuple(SETS), Path(work), lambda sentence: click.echo(sentence, err=True))
    inputs: dict[str, object] = {"rows": rows, "dimension": dimension, "queries": queries, "seed": seed}
    figures = {
        "inputs": {**inputs, **{f"{name} version": version(name) for name in ("faiss-cpu", "numpy")}},
        "worst": worst(found),
        "sets": found,
    }
    show(figures, Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH))
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if markdown_file is not None:
        command = shlex.join(["recommender", *sys.argv[1:]]) if sys.argv[1:2] == ["bench"] else "recommender bench search"
        markdown_file.write_text(markdown(figures, command), encoding="utf-8")
