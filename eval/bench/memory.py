"""How much memory a piece of work took at its peak, as Linux counts it for this process alone.

Where Linux lets a process forget its peak, a piece of work is measured by itself; elsewhere the peak is that since the process began, so
that each set is measured in a process of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PROCESS = Path("/proc/self")
FORGET = "5"
"""Makes the peak what is used now (proc_pid_clear_refs(5))."""


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
