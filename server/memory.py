"""Memory that is not used any more, and goes back to the system."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Free what keeps itself alive, and give pages that nothing lies on back to the system.

    The C library of itself gives back no more than the end of its heap, so that a process would go on holding what its last engine took.
    It takes some milliseconds. Where the library is another one than GNU's, it is left to that.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
