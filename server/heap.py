"""How the C library keeps memory that was given back: little of it, for a server of many threads that each need much for a moment."""

from __future__ import annotations

import ctypes
import gc

ARENAS = 2
"""Heaps that threads share. By default each thread has its own, and each keeps what the largest feed that it made has needed."""
TRIM_BYTES = 2**20
"""Free memory at the end of a heap that is kept."""
MAPPED_BYTES = 4 * 2**20
"""Blocks of at least this size are given back to the system at once, instead of a size that grows with what was asked for before."""

# Numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def keep_little() -> bool:
    """Set the C library's limits; whether it knows them. Call it before threads are started.

    With eight threads at 100 thousand items, 200 MB are private to a process instead of 400 to 500 MB, at the same processor time.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    given = ((_ARENA_MAX, ARENAS), (_TRIM_THRESHOLD, TRIM_BYTES), (_MMAP_THRESHOLD, MAPPED_BYTES))
    return all([set_option(option, value) == 1 for option, value in given])


def give_back() -> None:
    """Free what keeps itself alive, and give pages on which nothing lies any more back to the system, which takes some milliseconds.

    The C library of itself gives back no more than the end of a heap, so that a process would go on holding what its last engine took.
    """
    gc.collect()
    give_back_pages()


def give_back_pages() -> None:
    """The latter alone."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
