"""How much memory a piece of work took at its peak, as Linux counts it: that of this process, and that of the ones it started beside it.

Where Linux lets a process forget its peak, a piece of work is measured by itself; elsewhere the peak is that since the process began, so
that each set is measured in a process of its own.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

_PROCESS = Path("/proc/self")
FORGET = "5"
"""Makes the peak what is used now (proc_pid_clear_refs(5))."""
PAUSE_S = 0.2
"""Between two looks at what several processes hold."""


def forget_peak() -> bool:
    """Begin to measure anew; False where that cannot be done, and the next peak is that since the process began."""
    try:
        (_PROCESS / "clear_refs").write_text(FORGET, encoding="ascii")
    except OSError:
        return False
    return True


def peak_mb() -> float:
    """The process's memory at its peak, MB of 2²⁰ bytes; of everything that ran in it since it began or since `forget_peak`.

    VmHWM, not ru_maxrss: the latter is inherited from whoever started the process. Where there is no /proc it is all there is.
    """
    try:
        status = (_PROCESS / "status").read_text(encoding="utf-8")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024
    except (OSError, StopIteration):
        import resource

        # In KB on most systems, in bytes on macOS.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


class Together:
    """What this process and those that it started hold together, looked at every `PAUSE_S` seconds while the block runs.

    `most_mb`: the most that was seen, MB of 2²⁰ bytes; 0 where it never had another process, and where there is no /proc.
    """

    def __init__(self) -> None:
        self.most_mb, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Together:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(PAUSE_S):
            started = _started_by(os.getpid())
            if started:
                self.most_mb = max(self.most_mb, sum(_held_mb(process) for process in [os.getpid(), *started]))


def _started_by(process: int) -> list[int]:
    """Processes that were started by one, and by those in turn."""
    found: list[int] = []
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(child) for child in tasks.read_text(encoding="ascii").split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_started_by(child)]
    return found


def _held_mb(process: int) -> float:
    """What a process holds, MB; 0 where it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0
