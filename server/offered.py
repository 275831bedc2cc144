"""The placements that feeds are asked for, as of now: their file is read again whenever it changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recommender.alike_lists import looking
from recommender.background import stand_back
from recommender.errors import InvalidInput
from recommender.placements import Placement, Placements, load_placements
from server.logs import LOGGER_NAME
from server.metrics import Metrics

_LOG = logging.getLogger(f"{LOGGER_NAME}.placements")

POLL_S = 1.0
"""How often the file is looked at."""


@dataclass(frozen=True)
class Offered:
    """All placements, and by name what of them holds where something else than a feed is asked for: `alike` for what is like given items,
    `of_given` for an order of given items, which the placement's kinds do not choose among once more; `found` for what is searched for,
    where what was consumed may be shown and nothing stands in for what fits."""

    placements: Placements
    alike: Mapping[str, Placement]
    of_given: Mapping[str, Placement]
    found: Mapping[str, Placement]

    @classmethod
    def of(cls, placements: Placements) -> Offered:
        """What follows from `placements`."""
        named = placements.by_name
        return cls(
            placements,
            {name: looking(placement) for name, placement in named.items()},
            {name: placement.model_copy(update={"kinds": frozenset(), "own": "show"}) for name, placement in named.items()},
            {name: placement.model_copy(update={"repeat": "allowed", "fallback": "none"}) for name, placement in named.items()},
        )


class PlacementsFile:
    """What the file at `path` says, or the defaults without one. A bad file changes nothing, and the log says why it is not taken."""

    def __init__(self, path: Path | None, metrics: Metrics) -> None:
        """Raises `InvalidInput` naming file and key for a file that is bad from the beginning."""
        self._path = path
        self._metrics = metrics
        self._known = self._state()
        self.now = Offered.of(Placements.default() if path is None else load_placements(path))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="placements", daemon=True)

    def start(self) -> None:
        """Begin to look whether the file has changed, where there is one."""
        if self._path is not None:
            self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Read the file again where it has changed since it was last looked at."""
        state = self._state()
        if self._path is None or state == self._known:
            return
        self._known = state
        try:
            placements = load_placements(self._path)
        except InvalidInput as error:
            self._metrics.placements_refused.inc()
            _LOG.error("placements refused; those before them go on", extra={"why": str(error)})
            return
        before, self.now = self.now.placements, Offered.of(placements)
        changed = sorted(name for name, version in placements.versions.items() if before.versions.get(name) != version)
        gone = sorted(before.versions.keys() - placements.versions.keys())
        _LOG.info("placements changed", extra={"changed": changed, "gone": gone})

    def _follow(self) -> None:
        stand_back()
        while not self._stop.wait(POLL_S):
            try:
                self.look()
            except Exception:
                # The next look may do better, and without this thread no change would ever be seen again.
                _LOG.exception("placements cannot be looked at")

    def _state(self) -> tuple[int, int, int] | None:
        """What changes whenever the file does; None where there is none."""
        try:
            found = None if self._path is None else self._path.stat()
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)
