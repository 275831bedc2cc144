"""All benchmarks by one command: each runs as a sub-command of its own, and one table sets what they found beside what they should."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recommender.cli import BENCH_GROUP, registered
from recommender.errors import RecommenderError
from recommender.machine import interpreter, processor
from server.bench.targets import BESIDE, COMPOSED, MILLION, SERVE, TARGETS, Measured, NotThere, shown, undisturbed
from server.launching import run


@dataclass(frozen=True)
class Part:
    """One benchmark: its `name`, and its command line after `recommender bench`; None where nothing was given to measure it on, and then
    `missing` says what."""

    name: str
    arguments: Sequence[str] | None
    missing: str = ""


@dataclass(frozen=True)
class Results:
    """What each part found, as its JSON holds it, and why others found nothing."""

    measured: Measured
    why_not: Mapping[str, str]


def measure_all(
    parts: Sequence[Part], folder: Path, told: Callable[[str], None], bench: Callable[..., None] = lambda *line: run("bench", *line)
) -> Results:
    """Run the parts one after the other, each leaving its figures in `folder`; those that are there already are taken as they are.

    A part that cannot be measured is left out, and the reason is kept. `bench` runs one command line.
    """
    measured: dict[str, Any] = {}
    why_not: dict[str, str] = {}
    for part in parts:
        file = folder / f"{part.name}.json"
        try:
            if not file.exists():
                if part.arguments is None:
                    raise RecommenderError(part.missing)
                if part.arguments[0] not in registered(BENCH_GROUP):
                    raise RecommenderError(f"there is no `recommender bench {part.arguments[0]}`")
                told(f"recommender bench {' '.join(part.arguments)}")
                bench(*part.arguments, "--json", str(file))
            measured[part.name] = json.loads(file.read_text(encoding="utf-8"))
        except (RecommenderError, OSError, ValueError) as error:
            why_not[part.name] = str(error)
            told(f"{part.name}: not measured: {error}")
    return Results(measured, why_not)


def document(results: Results, command: str) -> str:
    """Everything as Markdown; `command` is the command line that makes it again."""
    lines = ["# Results", "", f"Made by `{command}`; do not edit.", "", *_inputs(results.measured), ""]
    lines += ["| measure | must | aim | reached | |", "|---|---|---|---|---|"]
    for target in TARGETS:
        try:
            value = target.read(results.measured)
            reached, verdict = f"{shown(value)}{target.unit}", target.verdict(value)
        except NotThere as error:
            reached, verdict = "not measured", _why(error, results)
        lines.append(f"| {target.title} | {target.bound(target.must)} | {target.bound(target.aim)} | {reached} | {verdict} |")
    lines += _undisturbed(results.measured)
    lines += ["", "Beside them:", "", "| measure | |", "|---|---|"]
    for title, read in BESIDE:
        try:
            lines.append(f"| {title} | {shown(read(results.measured))} |")
        except NotThere as error:
            lines.append(f"| {title} | not measured: {_why(error, results)} |")
    return "\n".join(lines) + "\n"


def _undisturbed(measured: Measured) -> Iterator[str]:
    """By what share of the time processor times go, a paragraph; nothing where figures are of before that was told."""
    told = []
    for part in (SERVE, COMPOSED, MILLION):
        try:
            share = undisturbed(part)(measured)
        except NotThere:
            continue
        told.append(f"{part} {share:.0%} of the time" if share else f"{part} too little of it, so that all of the time counts")
    if told:
        yield ""
        yield f"Processor times of calls are of moments in which nobody else slowed the processor down. For a feed: {', '.join(told)}."


def _why(error: NotThere, results: Results) -> str:
    reason = str(error)
    return results.why_not.get(reason, reason)


def _inputs(measured: Measured) -> Iterator[str]:
    """One line on the machine and one on what each part was measured on."""
    yield f"- {interpreter()}, {processor()}, {platform.system()} {platform.release()}"
    for name, figures in measured.items():
        inputs = figures.get("inputs", {})
        yield f"- {name}: " + ", ".join(f"{key} {_in_words(value)}" for key, value in inputs.items())


def _in_words(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key} {each}" for key, each in value.items())
    return shown(value) if isinstance(value, int | float) else str(value)
