"""The command `recommender eval`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from eval.compare_command import compare as compare_command
from recommender.placements import Placements, load_placements
from recommender.profile import load_build_settings
from recommender.settings import load_settings
from recommender.times import parse_time, to_micros

DEEPEST = 100
LOGGED = ("given", "last", "impressions")
"""Splits whose judged part is the same for everybody who has the set."""


def _moment(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    return None if text is None else parse_time(text, parameter.opts[0])


def _lengths(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() and 1 <= int(word) <= DEEPEST for word in words):
        raise click.BadParameter(f"{text!r} is no list of whole numbers from 1 to {DEEPEST}, such as 5,10,20")
    return tuple(dict.fromkeys(map(int, words)))


_file = click.Path(path_type=Path)


def _given(context: click.Context) -> str:
    return ", ".join(
        f"--{parameter.opts[0].lstrip('-')}"
        for parameter in context.command.params
        if context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
    )


@click.group("eval", invoke_without_command=True, short_help="Judge the engine on held-out time.")
@click.pass_context
@click.option("--data", type=_file, help="Folder of store, generations and caches.")
@click.option("--dataset", type=_file, metavar="FOLDER", help="Judge on the files of a public set in this folder, not on the store.")
@click.option("--format", help="Format of the --dataset: movielens, lightgcn, sequences, citeulike or mind.")
@click.option("--train", type=_file, metavar="FILE", help="Learn from the events of this file (CSV, JSONL, Parquet or Arrow), with --test.")
@click.option("--test", type=_file, metavar="FILE", help="Judge on the events of this file, with --train.")
@click.option("--items", type=_file, metavar="FILE", help="The items of --train and --test; without it ids are all that is known of them.")
@click.option("--set", "set_name", default="", metavar="NAME", help="Which set of the --dataset's folder, where it holds several.")
@click.option("--build", "build_file", type=_file, help="TOML file of build settings to judge; defaults without it.")
@click.option("--placements", type=_file, help="TOML file of placements.")
@click.option("--placement", "name", default="", help="The placement to judge; the first one without it.")
@click.option(
    "--split",
    metavar="HOW",
    help="time, rolling, last, given, impressions, cold-items, cold-people or random; by default given where the data has a test part, "
    "otherwise time, or last where there is only an order.",
)
@click.option("--cut", callback=_moment, metavar="TIME", help="Learn from events before this moment, judge on those after it.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Newest share of events or impressions, or share of items or people, to judge on; 0.2, with rolling 0.4.",
)
@click.option("--windows", type=click.IntRange(min=1), help="Windows of --split rolling, each fitted anew; 4.")
@click.option("--until", callback=_moment, metavar="TIME", help="Use no events from this moment on (for tuning before a test period).")
@click.option(
    "--reveal", type=click.FloatRange(0, 1, max_open=True), help="Share of each person's events after the cut that count as history; 0.5."
)
@click.option("--among", metavar="WHICH", help="Rank cold items with --split cold-items among cold ones alone, or all; cold.")
@click.option("--known", type=click.IntRange(min=0), help="Events that are known of each person with --split cold-people; 0.")
@click.option("--people", type=click.IntRange(min=1), default=5_000, show_default=True, help="People judged at the most, in each window.")
@click.option("--segments", type=_file, help="CSV file user_id,segment: also figures by segment.")
@click.option("--ablate", is_flag=True, help="Also judge the blend without each source.")
@click.option("--compare", type=_file, help="TOML file of other build settings, or other placements, to judge on the same people.")
@click.option("--learning-curve", is_flag=True, help="Also learn from 25 and 50 % of the people; takes two more fits.")
@click.option("--cold-start", "less_known", is_flag=True, help="Also judge the same people with histories cut to 0 to 20 events.")
@click.option("--k", "lengths", default="", callback=_lengths, metavar="LIST", help="Also print figures at these lengths, such as 5,10,20.")
@click.option(
    "--log",
    type=_file,
    metavar="FILE",
    help="Append to this file that the test part of a --dataset is looked at, before and after judging.",
)
@click.option("--json", "json_report", type=_file, help="Also write all figures as JSON to this file.")
@click.option("--parquet", type=_file, help="Also write one row a person and variant to this file; it holds people's ids.")
@click.option("--html", type=_file, help="Also write a report in one HTML file.")
def evaluate(
    context: click.Context,
    data: Path | None,
    dataset: Path | None,
    format: str | None,
    train: Path | None,
    test: Path | None,
    items: Path | None,
    set_name: str,
    build_file: Path | None,
    placements: Path | None,
    name: str,
    split: str | None,
    cut: datetime | None,
    share: float | None,
    windows: int | None,
    until: datetime | None,
    reveal: float | None,
    among: str | None,
    known: int | None,
    people: int,
    segments: Path | None,
    ablate: bool,
    compare: Path | None,
    learning_curve: bool,
    less_known: bool,
    lengths: tuple[int, ...],
    log: Path | None,
    json_report: Path | None,
    parquet: Path | None,
    html: Path | None,
) -> None:
    """Judge build settings and a placement on the store's own events, or on a public set; publishes nothing.

    Fits on a part of the events and ranks the whole catalogue, with the serving engine, for everybody who took up something new
    in the rest. Prints each source alone, the blend, how sure the differences are, and for whom and what it works; 95 % intervals.
    """
    if context.invoked_subcommand is not None:
        if given := _given(context):
            raise click.UsageError(f"{given} belongs to an evaluation and does not go with {context.invoked_subcommand}")
        return
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from rich.console import Console

    from eval.evaluation import evaluate as run
    from eval.looks import note_look
    from eval.material import from_files, from_store
    from eval.outputs.figures import figures_of
    from eval.outputs.person_rows import write_person_rows
    from eval.outputs.tables import shown, tables_of, title_of
    from eval.outputs.writing import check_outputs, write_text
    from eval.own_files import from_own_files
    from eval.rival import rival_of
    from eval.segments import read_segments
    from eval.splitting import Cutting, split_for
    from indexing.progress import reporter
    from recommender.errors import InvalidInput
    from recommender.judging.comparison import comparison_table
    from recommender.judging.replay import BLEND

    # All that can be refused is refused before the work.
    check_outputs({"--json": json_report, "--parquet": parquet, "--html": html})
    if (dataset is None) != (format is None):
        raise InvalidInput("--format", format, "both --dataset and --format, or neither")
    if (train is None) != (test is None):
        raise InvalidInput("--test" if test is None else "--train", None, "both --train and --test, or neither")
    if train is not None and dataset is not None:
        raise InvalidInput("--dataset", str(dataset), "either a data set or files of one's own, not both")
    if items is not None and train is None:
        raise InvalidInput("--items", str(items), "only together with --train and --test")
    if dataset is None and log is not None:
        raise InvalidInput("--log", str(log), "only together with --dataset, whose test part is then looked at")
    if dataset is None and set_name:
        raise InvalidInput("--set", set_name, "a name only together with --dataset")
    settings = load_settings(data=data, placements=placements)
    there = load_placements(settings.placements) if settings.placements else Placements.default()
    build, placement = load_build_settings(build_file), there.get(name)
    rival = None if compare is None else rival_of(compare, build, placement, own=(build_file, settings.placements))
    if html is not None:
        from eval.report.page import page
    report = reporter(sys.stderr)
    if train is not None and test is not None:
        material = from_own_files(train, test, items, report)
    else:
        material = from_store(settings.store_place, report) if dataset is None else from_files(dataset, format or "", set_name, report)
    how = split_for(material, split)
    if log is not None and how not in LOGGED:
        raise InvalidInput("--log", str(log), f"only with --split {', '.join(LOGGED)}, since a part drawn here is nobody's test part")
    name_of_set, moment = f"{format} {set_name or material.name}", datetime.now(UTC)
    against = "" if rival is None else rival.build.hash

    def note(queries: int, figures: Mapping[str, float] | None = None) -> None:
        if log is None:
            return
        try:
            note_look(
                log,
                at=moment,
                name=name_of_set,
                settings=build,
                placement=placement,
                people=queries,
                figures=figures,
                split=how,
                compared=against,
            )
        except OSError as error:
            raise InvalidInput("--log", str(log), f"a file that can be written to ({error.strerror})") from error

    result = run(
        material,
        build,
        placement,
        report,
        cache=settings.cache_path,
        cutting=Cutting(
            split=split,
            cut=None if cut is None else to_micros(cut),
            until=None if until is None else to_micros(until),
            share=share,
            reveal=reveal,
            windows=windows,
            among=among,
            known=known,
            people=people,
        ),
        ablate=ablate,
        rival=rival,
        curve=learning_curve,
        less_known=less_known,
        segments=None if segments is None else read_segments(segments, material.people),
        about_to_judge=note,
    )
    blend = result.comparison.judgements[BLEND].intervals
    note(len(result.comparison.held_out), {metric: interval.mean for metric, interval in blend.items()})
    figures, console = figures_of(result), Console()
    for warning in figures["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    console.print(title_of(figures), highlight=False, markup=False)
    console.print(comparison_table(result.comparison, ""), highlight=False)
    best = figures["best_part"]
    console.print(f"blend − best part ({best}), NDCG@10: {shown(figures['blend_over'][best], signed=True)}", highlight=False, markup=False)
    for heading, table in tables_of(figures, lengths):
        console.print(f"\n{heading}", style="italic", highlight=False, markup=False)
        console.print(table, highlight=False)
    if json_report is not None:
        write_text(json_report, json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    if parquet is not None:
        write_person_rows(result, parquet)
    if html is not None:
        write_text(html, page(figures))


evaluate.add_command(compare_command)
