"""The command `recommender demo`."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from recommender.client import Client
from recommender.generation import Generations
from recommender.settings import load_settings
from server.demo.scenes import FILTER, KNOWN_USER, judged_table, play
from server.launching import command_path, published, run, serving

TIMEOUT_S = 60.0
"""Seconds that an answer may take: right after an install, some loops are compiled for it."""


@click.command(short_help="Import MovieLens-100K, build a generation, serve it and print feeds.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="Folder for all that the demo makes.",
)
@click.option("--keep", is_flag=True, help="Leave the server up until Ctrl-C and print a line to try.")
@click.option("--rebuild", is_flag=True, help="Import and build again, even where a generation is there.")
@click.option("--listen", default="127.0.0.1:0", show_default=True, help="Address of the server; port 0 takes a free one.")
def demo(data: Path, keep: bool, rebuild: bool, listen: str) -> None:
    """Take MovieLens-100K from download to personalised feeds, through the same commands that everybody uses.

    What an earlier run made is used again: a second run only starts the server and asks.
    """
    started = time.monotonic()
    console = Console(highlight=False)
    data.mkdir(parents=True, exist_ok=True)
    generation_id = None if rebuild else published(data)
    if generation_id is None:
        films = data / "movielens-100k"
        _title(console, "1. Get MovieLens-100K")
        run("dataset", "movielens-100k", "--to", str(films))
        _title(console, "2. Import films and ratings")
        run("import", "items", str(films / "items.jsonl"), "--data", str(data))
        run("import", "events", str(films / "events.csv"), "--data", str(data))
        _title(console, "3. Embed, learn, judge on held-out time, publish")
        run("reindex", "--data", str(data))
    else:
        _title(console, f"Using generation {generation_id} of an earlier run (--rebuild makes a new one)")
        manifest = Generations(load_settings(data=data).generations_path).manifest(generation_id)
        console.print(judged_table(manifest))
    _title(console, "4. Serve")
    starting = time.monotonic()
    log = data / "server.log"
    with serving(data, listen=listen, admin_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0", log=log) as server:
        with Client(server.addresses["listen"], server.addresses["admin_listen"], timeout_s=TIMEOUT_S) as client:
            client.wait_until_serving()
            console.print(f"serving after {time.monotonic() - starting:.1f} s; log in {log}", soft_wrap=True)
            console.print(f"feeds and events: {server.addresses['listen']}")
            console.print(f"catalogue and generations: {server.addresses['admin_listen']}")
            console.print(f"metrics: http://{server.addresses['metrics_listen']}/metrics")
            play(client, data, console)
        console.print(f"\ndone at {datetime.now(UTC):%H:%M:%S} UTC, after {time.monotonic() - started:.0f} s", style="dim")
        if keep:
            _keep(console, server.addresses["listen"])


def _keep(console: Console, address: str) -> None:
    """Wait for Ctrl-C or SIGTERM beside the running server."""
    _title(console, "The server stays up until Ctrl-C. Try:")
    request = json.dumps({"subject": {"user_id": KNOWN_USER}, "page_size": 5})
    lines = (
        f"grpcurl -plaintext -d '{request}' {address} recommender.v1.FeedService/GetFeed",
        f"{command_path()} feed --target {address} --user {KNOWN_USER} --filter '{FILTER}' --explain",
    )
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def _title(console: Console, text: str) -> None:
    console.print(f"\n{text}", style="bold cyan", markup=False, soft_wrap=True)
