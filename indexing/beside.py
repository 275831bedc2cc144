"""Work on another core while this one goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Beside(Generic[Made]):
    """Does `work` in a thread of its own, from now on. Who is interrupted meanwhile need not wait for it."""

    def __init__(self, work: Callable[[], Made]) -> None:
        self._made: list[Made] = []
        self._failed: list[BaseException] = []

        def run() -> None:
            try:
                self._made.append(work())
            except BaseException as error:
                self._failed.append(error)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether the work has come to its end."""
        return not self._thread.is_alive()

    def result(self) -> Made:
        """What `work` returned, once it has. Raises what it raised."""
        self._thread.join()
        if self._failed:
            raise self._failed[0]
        return self._made[0]
