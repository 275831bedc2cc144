"""How loops are compiled: by Numba on first use, and kept on disk, beside the source or, where that cannot be written, in the user's cache.

None of them holds the interpreter's lock. Arrays are checked by whoever calls; inside nothing is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """`function`, compiled when it is first called, with the rounding of the processor as it is written: nothing is reordered."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))


def reordered(function: Function) -> Function:
    """The same, but that sums may be added up in whatever order the processor likes best, as in products of matrices: it is the same order
    every time, and a quarter of the time."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})(function))
