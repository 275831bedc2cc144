"""`recommender import items FILE…` and `recommender import events FILE…`."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import click

from indexing.importing.column_map import parse_map
from indexing.importing.files import Format, import_file
from indexing.importing.import_files import EVENTS_PER_WRITE, ITEMS_PER_WRITE, ImportRequest, import_events, import_items
from indexing.importing.rejects import parse_reject_limit
from indexing.importing.report import ImportReport
from indexing.importing.rows_to_items import parse_kind
from indexing.importing.schema import EVENTS, ITEMS, Schema
from indexing.progress import reporter
from recommender.errors import InvalidInput
from recommender.remote.place import is_url
from recommender.settings import load_settings


@click.group("import")
def import_group() -> None:
    """Import items or events from CSV, JSONL or Parquet files."""


YOUNG_OBJECTS = 200_000
"""So many new objects make Python look for cycles among them during an import of events."""

Command = Callable[..., None]


class _FileOrUrl(click.Path):
    """A file of this machine, as a path, or one at a remote place, as the text of its URL."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType`."""
        return value if isinstance(value, str) and is_url(value) else super().convert(value, param, ctx)


_FILES = _FileOrUrl(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_FORMATS = click.Choice([format.value for format in Format])

_ROWS_PER_WRITE = f"Rows per write; without it, {ITEMS_PER_WRITE:,} items or {EVENTS_PER_WRITE:,} events."

_FILE_OPTIONS: tuple[Callable[[Command], Command], ...] = (
    click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_FILES),
    click.option("--data", type=_FOLDER, help="Folder of the store; without it, the settings' own."),
    click.option("--map", "maps", multiple=True, metavar="OUR=THEIRS", help="Take our column from theirs, or from OUR=:constant."),
    click.option("--format", "format_name", type=_FORMATS, help="Without it, told by the file's ending."),
    click.option(
        "--max-rejects", default="0.01", show_default=True, metavar="LIMIT", help="Bad rows allowed: 0.01 or 1% as a share, 25 as a count."
    ),
    click.option("--rejects", type=_NEW_FILE, help="File for bad rows; without it, one in DATA/rejects."),
    click.option(
        "--batch",
        type=click.IntRange(1, 100_000),
        help=f"Rows per write; without it, {ITEMS_PER_WRITE:,} items or {EVENTS_PER_WRITE:,} events.",
    ),
    click.option("--dry-run", is_flag=True, help="Check the files, write nothing to the store."),
    click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object."),
)


def _file_options(command: Command) -> Command:
    """Give `command` the options that both imports have."""
    return reduce(lambda decorated, option: option(decorated), reversed(_FILE_OPTIONS), command)


@import_group.command("items")
@_file_options
@click.option("--kind", help="Kind of the rows that name none: article, product or media.")
def items_command(kind: str | None, data: Path | None, as_json: bool, **given: Any) -> None:
    """Add items to the catalogue or replace them; of rows with one id, the last holds.

    FILE is a path, or the URL of a file on an object store, such as s3://bucket/folder/file.jsonl.gz. The columns are described in
    docs/import.md. A refused import changes nothing.
    """
    with _usage():
        request = _request(ITEMS, given, {"kind": parse_kind(kind).name.lower()} if kind else {})
    report = import_items(request, load_settings(data=data), now=datetime.now(UTC), reporter=reporter(sys.stderr))
    _show(report, as_json)


@import_group.command("events")
@_file_options
def events_command(data: Path | None, as_json: bool, **given: Any) -> None:
    """Add events to the history; their items must be in the catalogue. An event id counts once.

    FILE is a path, or the URL of a file on an object store, such as s3://bucket/folder/file.jsonl.gz. The columns are described in
    docs/import.md. A refused import changes nothing.
    """
    with _usage():
        request = _request(EVENTS, given, {})
    with _rare_collections():
        report = import_events(request, load_settings(data=data), now=datetime.now(UTC), reporter=reporter(sys.stderr))
    _show(report, as_json)


def _request(schema: Schema, given: Mapping[str, Any], defaults: Mapping[str, object]) -> ImportRequest:
    format = Format(given["format_name"]) if given["format_name"] else None
    return ImportRequest(
        files=tuple(import_file(path, format) for path in given["files"]),
        mapping=parse_map(schema, given["maps"], defaults),
        rejects=given["rejects"],
        limit=parse_reject_limit(given["max_rejects"]),
        batch=given["batch"] or (EVENTS_PER_WRITE if schema is EVENTS else ITEMS_PER_WRITE),
        dry_run=given["dry_run"],
    )


@contextmanager
def _usage() -> Iterator[None]:
    """What is wrong with the arguments themselves is wrong usage, unlike what is wrong with a file's content."""
    try:
        yield
    except InvalidInput as error:
        raise click.UsageError(str(error)) from error


@contextmanager
def _rare_collections() -> Iterator[None]:
    """An import makes hundreds of thousands of tuples at a time and next to no cycles; looking for these as often as usual would
    take a quarter of the time."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _show(report: ImportReport, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    else:
        for line in report.lines():
            click.echo(line)
