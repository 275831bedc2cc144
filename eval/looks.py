"""The log of looks at test parts: one line before judging begins and one with the figures after it, so that no look goes unseen.

A look that was broken off, or whose figures nobody liked, stands there all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.served_profile import served_profile

LIBRARIES = ("content-recommender", "numpy", "scipy", "faiss-cpu", "implicit", "lightgbm", "sentence-transformers", "torch")


def versions() -> dict[str, str]:
    """Versions of this program and of the libraries that figures may hang on, of those that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def note_look(
    log: Path,
    *,
    at: datetime,
    name: str,
    settings: BuildSettings,
    placement: Placement,
    people: int,
    figures: Mapping[str, float] | None = None,
    **more: str | int | float,
) -> None:
    """Append one line of JSON to `log`: that the test part of the set `name` is about to be looked at, or, with `figures`, what was seen.

    Call it without `figures` before judging begins, when `people` queries are to be judged, and with them after. `at`: aware, the same
    for both, by which they are matched. `more`: what else is to be known, such as the split. Figures are kept to five digits.
    Raises OSError where nothing can be written: what cannot be noted should not be looked at.
    """
    entry: dict[str, object] = {
        "at": at.isoformat(timespec="seconds"),
        "set": name,
        "state": "started" if figures is None else "judged",
        "served_profile": served_profile(settings, placement),
        "profile": settings.hash,
        "placement": placement.version,
        "people": people,
        "changed": settings.model_dump(mode="json", exclude_defaults=True),
        "versions": versions(),
        **more,
        **{metric: round(value, 5) for metric, value in (figures or {}).items()},
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
