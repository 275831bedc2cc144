"""Another run to compare with: the same data and people, other build settings or another placement."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from recommender.errors import InvalidInput
from recommender.placements import Placement, load_placements
from recommender.profile import BuildSettings, load_build_settings


@dataclass(frozen=True)
class Rival:
    """What is compared with; `name` is shown. With the judged run's build settings it shares that run's fit."""

    name: str
    build: BuildSettings
    placement: Placement


def rival_of(path: Path, build: BuildSettings, placement: Placement, *, own: tuple[Path | None, ...] = ()) -> Rival:
    """The run of the file `path`: build settings, or placements, of which the one named as `placement` is taken.

    What the file does not say is as in the judged run, `build` and `placement`. Raises `InvalidInput` where the file is one of `own`,
    is neither, or says the same as the judged run, and `NotFound` where it has no placement of that name.
    """
    for file in own:
        if file is not None and path.exists() and file.exists() and path.samefile(file):
            raise InvalidInput("--compare", str(path), "another file than the one that is judged")
    if _holds_placements(path):
        rival = Rival(path.name, build, load_placements(path).get(placement.name))
    else:
        rival = Rival(path.name, load_build_settings(path), placement)
    if rival.build == build and rival.placement == placement:
        raise InvalidInput("--compare", str(path), "settings that differ from those that are judged")
    return rival


def _holds_placements(path: Path) -> bool:
    try:
        return "placements" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Reading it as build settings says what is wrong with it.
        return False
