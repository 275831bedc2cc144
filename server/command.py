"""`recommender serve`: one process that serves until it is told to stop."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from recommender.settings import ENVIRONMENT_PREFIX, Settings, load_settings
from server.heap import keep_little
from server.native_threads import single_threaded
from server.no_pandas import do_without_pandas

SWITCH_S = 0.001
"""Seconds after which a thread that computes in Python makes room for another one: the one that takes calls in should not wait for long."""


def setting_options() -> list[click.Option]:
    """One option for every setting, in their order. What is not given comes from the environment, the file or the default."""
    options = []
    for name, field in Settings.model_fields.items():
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        default = "" if field.default is None else f"  [default: {field.default}]"
        options.append(
            click.Option(
                [f"--{name.replace('_', '-')}", name],
                type=click.Choice(choices) if choices else click.STRING,
                default=None,
                help=f"{field.description} Also {ENVIRONMENT_PREFIX}{name.upper()}.{default}",
            )
        )
    return options


def run_server(ready_file: Path | None, floor: bool, prepare: bool, **flags: Any) -> None:
    """Serve feeds over gRPC until SIGTERM or SIGINT; then finish what is running and exit with 0.

    RECOMMENDER_CONFIG may name a TOML file of settings; the environment goes over the file, and flags over both.
    """
    began = _seconds_since_start()
    settings = load_settings(**flags)
    # Before the imports below load native libraries.
    single_threaded()
    do_without_pandas()
    keep_little()
    if prepare:
        from server.preparing import prepare as compile_all

        return compile_all(datetime.now(UTC))
    sys.setswitchinterval(SWITCH_S)
    asked_to_stop = threading.Event()
    with _without_collections():
        from server.app import Server
        from server.logs import LOGGER_NAME, start_logging
        from server.scheduling import without_preemption

        imported = _seconds_since_start()
        start_logging(settings.log_level)
        without_preemption()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: asked_to_stop.set())
        started = Server.start(settings, floor=floor)
    parts = {
        "interpreter_s": began,
        "imports_s": imported - began,
        "generation_s": started.first_look_s,
        "rest_s": _seconds_since_start() - imported - started.first_look_s,
        "processor_s": time.process_time(),
    }
    logging.getLogger(LOGGER_NAME).info("started", extra={name: round(seconds, 3) for name, seconds in parts.items()})
    with started as server:
        if ready_file is not None:
            _write_addresses(ready_file, vars(server.addresses))
        server.wait_for_filters()
        gc.freeze()
        asked_to_stop.wait()


def _seconds_since_start() -> float:
    """Seconds since the kernel started this process, to a hundredth; since now where it does not tell."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def _without_collections() -> Iterator[None]:
    """Next to nothing is garbage while modules are imported; looking for it would take a fifth of the time to the start.

    What has been made then stays, and is not looked at again: it would stop all threads for a tenth of a second now and then.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _write_addresses(path: Path, addresses: dict[str, str]) -> None:
    """In one step, so that whoever waits for the file never reads half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(addresses) + "\n", encoding="utf-8")
    unfinished.replace(path)


serve = click.Command(
    "serve",
    callback=run_server,
    help=run_server.__doc__,
    params=[
        *setting_options(),
        click.Option(
            ["--ready-file"],
            type=click.Path(dir_okay=False, path_type=Path),
            help="File to write the bound addresses to, as JSON, once the server listens and has looked for a generation.",
        ),
        click.Option(
            ["--prepare"],
            is_flag=True,
            help="Serve nobody: compile what serving needs for this processor, keep it where NUMBA_CACHE_DIR or the defaults say, and end.",
        ),
        click.Option(["--floor"], is_flag=True, help="Also offer an empty method and a canned reply, for benchmarks to compare with."),
    ],
)
