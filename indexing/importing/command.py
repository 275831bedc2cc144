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
from indexing.importing.import_files import (
    EVENTS_PER_SENDING,
    EVENTS_PER_WRITE,
    ITEMS_PER_SENDING,
    ITEMS_PER_WRITE,
    ImportRequest,
    import_events,
    import_items,
)
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
    """Import items or events from CSV, JSONL, Parquet or Arrow files."""


YOUNG_OBJECTS = 200_000
"""So many new objects make Python look for cycles among them during an import of events."""

WAIT_S = 60.0
"""Seconds without a further item that is recommendable, after which --wait gives up."""

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

_ROWS_PER_WRITE = f"Rows per write; without it, {ITEMS_PER_WRITE:,} items or {EVENTS_PER_WRITE:,} events, and fewer with --live."

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
        help=_ROWS_PER_WRITE,
    ),
    click.option("--dry-run", is_flag=True, help="Check the files, write nothing to the store."),
    click.option(
        "--live",
        is_flag=False,
        flag_value="",
        metavar="[ADDRESS]",
        help="Send to a running server instead; without an address behind it, to where the settings have one listen.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object."),
)


def _file_options(command: Command) -> Command:
    """Give `command` the options that both imports have."""
    return reduce(lambda decorated, option: option(decorated), reversed(_FILE_OPTIONS), command)


@import_group.command("items")
@_file_options
@click.option("--kind", help="Kind of the rows that name none: article, product or media.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0, min_open=True),
    is_flag=False,
    flag_value=WAIT_S,
    metavar="[SECONDS]",
    help=f"With --live, return once they are recommendable; fail where for so long, {WAIT_S:g} s, none has become so.",
)
def items_command(kind: str | None, data: Path | None, as_json: bool, live: str | None, wait_s: float | None, **given: Any) -> None:
    """Add items to the catalogue or replace them; of rows with one id, the last holds.

    FILE is a path, or the URL of a file on an object store, such as s3://bucket/folder/file.jsonl.gz. The columns are described in
    docs/import.md. A refused import changes nothing. With --live a running server does it, at its operators' address: what was
    acknowledged stays, whatever comes after it, and the same import again changes nothing more.
    """
    with _usage():
        request = _request(ITEMS, given, {"kind": parse_kind(kind).name.lower()} if kind else {}, live)
    if wait_s is not None and live is None:
        raise click.UsageError("--wait waits for a running server: give --live as well")
    settings, shown = load_settings(data=data), reporter(sys.stderr)
    if live is None:
        report = import_items(request, settings, now=datetime.now(UTC), reporter=shown)
    else:
        # Only who sends needs gRPC.
        from indexing.importing.import_live import send_items

        report = send_items(request, settings, live or settings.admin_listen, now=datetime.now(UTC), reporter=shown, wait_s=wait_s)
    _show(report, as_json)


@import_group.command("events")
@_file_options
def events_command(data: Path | None, as_json: bool, live: str | None, **given: Any) -> None:
    """Add events to the history; their items must be in the catalogue. An event id counts once.

    FILE is a path, or the URL of a file on an object store, such as s3://bucket/folder/file.jsonl.gz. The columns are described in
    docs/import.md. A refused import changes nothing. With --live a running server does it, at its front ends' address: what was
    acknowledged counts in the next feed and stays, and the same import again counts nothing twice.
    """
    with _usage():
        request = _request(EVENTS, given, {}, live)
    settings, shown = load_settings(data=data), reporter(sys.stderr)
    with _rare_collections():
        if live is None:
            report = import_events(request, settings, now=datetime.now(UTC), reporter=shown)
        else:
            from indexing.importing.import_live import send_events

            report = send_events(request, settings, live or settings.listen, now=datetime.now(UTC), reporter=shown)
    _show(report, as_json)


def _request(schema: Schema, given: Mapping[str, Any], defaults: Mapping[str, object], live: str | None) -> ImportRequest:
    if live and ":" not in live:
        raise InvalidInput("--live", live, "host:port, such as 127.0.0.1:50051, or nothing behind it; files stand before it")
    usual = (EVENTS_PER_WRITE, ITEMS_PER_WRITE) if live is None else (EVENTS_PER_SENDING, ITEMS_PER_SENDING)
    format = Format(given["format_name"]) if given["format_name"] else None
    return ImportRequest(
        files=tuple(import_file(path, format) for path in given["files"]),
        mapping=parse_map(schema, given["maps"], defaults),
        rejects=given["rejects"],
        limit=parse_reject_limit(given["max_rejects"]),
        batch=given["batch"] or usual[0 if schema is EVENTS else 1],
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
