"""What processors do in one instruction and Python has no words for, to be called from compiled loops."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from recommender.compiling import compiled

_BITS = np.uint32(0x8FFFE000).view(np.int32)
_SCALE = np.float32(2.0**112)
_LINE = 64
"""Bytes that a processor fetches at a time; where it is more, asking twice does no harm."""


def _converted(typing: Any, bits: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.int16), code


@compiled
def _moved(bits: np.int16) -> np.float32:
    """For processors without the instruction: exponent and fraction are moved to where single precision has them, and a product makes up
    for the exponents' different bias."""
    moved: np.float32 = np.int32((np.int32(bits) << np.int32(13)) & _BITS).view(np.float32) * _SCALE
    return moved


def _converts() -> bool:
    """Whether compiled code may have the processor convert half precision; nearly every one can."""
    given = getattr(config, "CPU_FEATURES", None)
    features = binding.get_host_cpu_features().flatten() if given is None else given
    return "+f16c" in features or platform.machine().lower() in ("aarch64", "arm64")


def _low_ones(typing: Any, word: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(builder.not_(arguments[0]), ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), code


def _prefetched(typing: Any, array: Any, at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        there = context.make_array(kind)(context, builder, arguments[0])
        _fetch_line(builder, cast(Any, cgutils.get_item_pointer)(context, builder, kind, there, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp), code


def _fetch_line(builder: Any, place: Any) -> None:
    address, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    asked = ir.FunctionType(ir.VoidType(), [address, word, word, word])
    prefetch = cast(Any, cgutils.get_or_insert_function)(builder.module, asked, "llvm.prefetch.p0")
    to_read_at_once = [word(0), word(3), word(1)]
    builder.call(prefetch, [builder.bitcast(place, address), *to_read_at_once])


def _fetched(typing: Any, array: Any, row: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, address, size = signature.args[0], ir.IntType(8).as_pointer(), ir.IntType(64)
        there = context.make_array(kind)(context, builder, arguments[0])
        item = cast(Any, cgutils.get_item_pointer)(context, builder, kind, there, [arguments[1], size(0)])
        start = builder.bitcast(item, address)
        length = builder.mul(builder.extract_value(there.shape, 1), there.itemsize)
        with cgutils.for_range_slice(builder, size(0), length, size(_LINE)) as (place, _):
            _fetch_line(builder, builder.gep(start, [place]))
        return context.get_dummy_value()

    return types.void(array, types.int64), code


single = cast(Callable[[np.int16], np.float32], intrinsic(_converted) if _converts() else _moved)
"""The finite number in half precision that these bits are, in single precision."""

low_ones = cast(Callable[[np.uint64], int], intrinsic(_low_ones))
"""How many ones a word has at its low end."""

fetch = cast(Callable[[npt.NDArray[np.generic], int], None], intrinsic(_fetched))
"""Have a row of an array of shape (n, d) brought into the nearest cache, without waiting for it: called as `fetch(array, row)`."""

prefetch = cast(Callable[[npt.NDArray[np.generic], int], None], intrinsic(_prefetched))
"""The same of one place of a one-dimensional array, which need not exist: called as `prefetch(array, place)`."""
