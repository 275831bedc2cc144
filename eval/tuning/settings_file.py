"""The file that a tuning leaves: build settings that differ from the defaults, under a header that says where they come from."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from eval.datasets.whole_file import whole_file
from eval.tuning.search import Found
from eval.tuning.training_part import TrainingPart
from eval.tuning.tuning import Search, Tuned
from recommender.errors import InvalidInput
from recommender.judging import Interval
from recommender.placements import Placement
from recommender.profile import BuildSettings, load_build_settings

LIBRARIES = ("optuna", "numpy", "scipy", "implicit", "lightgbm", "faiss-cpu")


def check_writable(path: Path) -> None:
    """Raise `InvalidInput` where `path` could not be written at the end, before any work is done for it."""
    allowed = "a file in a folder that exists and may be written to"
    if path.is_dir():
        raise InvalidInput("--out", str(path), f"{allowed}; this is a folder")
    try:
        with tempfile.NamedTemporaryFile(dir=path.absolute().parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise InvalidInput("--out", str(path), f"{allowed} ({error.strerror})") from error


def write_settings(path: Path, tuned: Tuned, data: TrainingPart, how: Search, placement: Placement, *, now: datetime) -> None:
    """Write the recommended settings as TOML, whole or not at all. What stands in the file reads back as the very same settings."""
    tables = differing(tuned.settings.model_dump(), BuildSettings().model_dump())
    # A name of a data set may hold anything, but a comment ends with its line.
    header = [f"# {line}" for note in provenance(tuned, data, how, placement, now=now) for line in note.splitlines()]
    with whole_file(path) as part:
        part.write_text("\n".join([*header, "", *_toml(tables)]) + "\n", encoding="utf-8")
        if load_build_settings(part) != tuned.settings:
            raise AssertionError("the settings as written are not those that were found")


def provenance(tuned: Tuned, data: TrainingPart, how: Search, placement: Placement, *, now: datetime) -> Iterator[str]:
    """Where the settings come from, line by line."""
    yield "Build settings from `recommender tune`, for `recommender reindex --build` and `recommender eval --build`."
    yield f"result: {tuned.verdict}"
    yield f"date: {now.isoformat(timespec='seconds')}"
    yield f"data: {data.name!r}, order {data.order}, {data.description}"
    yield f"settings before: profile {tuned.present.hash}; these: profile {tuned.settings.hash}"
    yield f"placement: {placement.name} ({placement.version}); seed {how.seed}; at most {how.minutes:g} minutes"
    yield f"cut searched on: {tuned.searched}"
    yield f"fresh cut compared on: {tuned.fresh}"
    for found in tuned.found:
        yield f"  {found_line(found)}"
    confirmation = tuned.confirmation
    if confirmation is not None:
        for name, change in confirmation.changes.items():
            yield f"  {changed_line(name, change)}"
        for figures in confirmation.figures:
            yield (
                f"blend's NDCG@10 on the fresh cut, {figures.cut}, {figures.people} people: "
                f"{_shown(figures.before)} before, {_shown(figures.after)} after, difference {_shown(figures.difference, '+')}"
            )
    yield f"versions: python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in LIBRARIES)}"


def found_line(found: Found) -> str:
    """What came of one part, in one line."""
    if not found.trials:
        return f"{found.part.name}: not tuned, {found.why or 'no trial was finished'}"
    earlier = f", {found.earlier} of an earlier run" if found.earlier else ""
    outcome = f"NDCG@10 {found.change:+.2%} on the worst cut" if found.values else "nothing better"
    return f"{found.part.name}: {found.trials} trials ({found.pruned} pruned{earlier}), {outcome}{f'; {found.why}' if found.why else ''}"


def changed_line(name: str, change: float) -> str:
    """How a source did on the fresh cut, in one line."""
    return f"{name} alone on the fresh cut: NDCG@10 {change:+.2%} on the worst cut{', dropped' if change <= 0 else ''}"


def differing(values: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    """What of `values` differs from `defaults`, table by table; tables that are the same are left out."""
    found: dict[str, object] = {}
    for name, value in values.items():
        default = defaults[name]
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            if inner := differing(value, default):
                found[name] = inner
        elif value != default:
            found[name] = value
    return found


def _toml(table: Mapping[str, object], path: str = "") -> Iterator[str]:
    plain = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    if path and plain:
        yield ""
        yield f"[{path}]"
    for name, value in plain.items():
        yield f"{name} = {_literal(value)}"
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _toml(value, f"{path}.{name}" if path else name)


def _literal(value: object) -> str:
    if isinstance(value, str):
        # JSON's strings are TOML's, but for one character that TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _shown(interval: Interval, sign: str = "") -> str:
    return f"{interval.mean:{sign}.4f} [{interval.low:{sign}.4f}, {interval.high:{sign}.4f}]"
