"""The command `recommender eval compare`."""

from __future__ import annotations

import json
from pathlib import Path

import click

_file = click.Path(path_type=Path)


@click.command("compare", short_help="Two finished runs side by side.")
@click.argument("this", type=_file)
@click.argument("that", type=_file)
@click.option("--variant", default="blend", show_default=True, metavar="NAME", help="Which variant of both runs.")
@click.option("--json", "json_report", type=_file, help="Also write all figures as JSON to this file.")
@click.option("--html", type=_file, help="Also write a page with bars by segment and history length to this file.")
def compare(this: Path, that: Path, variant: str, json_report: Path | None, html: Path | None) -> None:
    """Compare two runs that `recommender eval --parquet` wrote to THIS and THAT, over the queries that both judged.

    Prints every metric of both, the paired difference with its 95 % interval, and how likely it is by chance alone.
    """
    from rich.console import Console

    from eval.finished import compare_runs, read_run
    from eval.outputs.finished_figures import finished_figures, finished_tables
    from eval.outputs.writing import check_outputs, write_text
    from recommender.errors import InvalidInput

    check_outputs({"--json": json_report, "--html": html})
    if this.exists() and that.exists() and this.samefile(that):
        raise InvalidInput("THAT", str(that), "another file than THIS")
    if html is not None:
        from eval.report.compare_page import compare_page
    figures = finished_figures(compare_runs(read_run(this, variant), read_run(that, variant), variant))
    console = Console()
    for place, (heading, table) in enumerate(finished_tables(figures)):
        console.print(("\n" if place else "") + heading, style="italic", highlight=False, markup=False)
        console.print(table, highlight=False)
    if json_report is not None:
        write_text(json_report, json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if html is not None:
        write_text(html, compare_page(figures))
