"""Asking for memory ahead: compiled loops that know where they will read next say so, and do not wait when they get there.

Rows of large arrays lie far apart, each on a page of its own, so that the processor cannot guess the next one. Scoring candidates that
are not in its caches takes less than half of the time when a few rows are asked for ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_KEEP, _DATA, _TO_READ = 3, 1, 0
_pointer: Callable[..., Any] = cgutils.get_item_pointer


def _prefetch(typing: Any, array: Any, at: Any) -> Any:
    def written(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        inner: Any = context.make_array(kind)(context, builder, arguments[0])
        pointer = _pointer(context, builder, kind, inner, [arguments[1]], wraparound=False)
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", (byte,), ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        )
        wishes = [ir.Constant(number, wish) for wish in (_TO_READ, _KEEP, _DATA)]
        builder.call(function, [builder.bitcast(pointer, byte), *wishes])
        return context.get_dummy_value()

    return types.void(array, types.intp), written


prefetch = cast(Callable[[npt.NDArray[np.generic], int], None], intrinsic(_prefetch))
"""Ask for the place `at` of a one-dimensional `array`; it is not read, and need not exist. Only inside compiled functions."""
