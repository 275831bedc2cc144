"""How loops are compiled: by Numba on first use, and kept on disk, beside the source or, where that cannot be written, in the user's cache.

None of them holds the interpreter's lock. Arrays are checked by whoever calls; inside nothing is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache

Function = TypeVar("Function", bound=Callable[..., object])

SHARED = (
    "indexing/learn/sums.py",
    "recommender/*kernels.py",
    "recommender/composing/*kernels.py",
    "recommender/best.py",
    "recommender/compiling.py",
    "recommender/event_table.py",
    "recommender/instructions.py",
    "recommender/lists.py",
)
"""Files with loops that those of other files call, and so contain once they are compiled."""


def compiled(function: Function) -> Function:
    """`function`, compiled when it is first called, with the rounding of the processor as it is written: nothing is reordered."""
    return _kept(function)


def inlined(function: Function) -> Function:
    """As `compiled`, for what compiled loops call in their innermost: it becomes part of them, since a call that hands over arrays counts
    the hands that they are in. That is left out only where there is no way out but the end: write it without `continue`, `break` and early
    returns, and time it, as not every loop gains."""
    return _kept(function, forceinline=True)


def reordered(function: Function) -> Function:
    """The same, but that sums may be added up in whatever order the processor likes best, as in products of matrices: it is the same order
    every time, and a quarter of the time."""
    return _kept(function, fastmath={"reassoc", "contract"})


def _kept(function: Function, **options: object) -> Function:
    dispatcher = cast(Any, njit)(nogil=True, error_model="numpy", **options)(function)
    dispatcher._cache = _Cache(function)
    return cast(Function, dispatcher)


@cache
def shared_digest() -> str:
    """What the `SHARED` files hold, in short."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SHARED for path in Path(__file__).parents[1].glob(pattern)}):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _with_shared(locator: Any) -> Any:
    """A place where Numba keeps compiled loops, as `locator`, which also notices a change of loops that others contain: by itself Numba
    looks at no more than the file of the loop that Python calls, and would go on with the old ones after an upgrade."""

    def stamp(self: Any) -> tuple[object, str]:
        return locator.get_source_stamp(self), shared_digest()

    return type(locator.__name__, (locator,), {"get_source_stamp": stamp})


_Results = type(
    "_Results", (CompileResultCacheImpl,), {"_locator_classes": [_with_shared(each) for each in CompileResultCacheImpl._locator_classes]}
)
_Cache: Any = type("_Cache", (FunctionCache,), {"_impl_class": _Results})
