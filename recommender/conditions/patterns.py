"""matches("…"): RE2 patterns, whose time is linear in the text, and bounded so that the factor stays small."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import re2  # type: ignore[import-untyped]

STEP_LIMIT = 100
"""Steps of all patterns of one expression together: about one per character, and n times as many under {n}."""

PATTERN_FORM = f"RE2 patterns of together at most {STEP_LIMIT} steps: about one per character, and n times as many under {{n}}"

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def pattern_steps(pattern: str) -> int | None:
    """Steps of `pattern`, about one per character or class of characters, or None when RE2 refuses it."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
        # Arrow runs the pattern on its own copy of RE2, so that one must accept it, too.
        find(pattern, [""])
        # RE2 spells a class of Unicode characters as bytes, in up to a thousand steps of which two or three are ever
        # tried; in Latin-1 a class is one step, which is what the time goes by.
        options.encoding = re2.Options.Encoding.LATIN1
        return int(re2.compile(_NOT_ASCII.sub("ÿ", pattern).encode("latin-1"), options).programsize)
    except (re2.error, pa.ArrowInvalid):
        return None


def find(pattern: str, values: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether `pattern` is found anywhere in each of `values`."""
    # pa.array() and to_numpy() would import pandas wherever it is installed.
    encoded = [value.encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    texts = pa.LargeStringArray.from_buffers(len(encoded), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))
    found = pc.match_substring_regex(texts, pattern).cast(pa.uint8())
    return np.frombuffer(found.buffers()[1], dtype=np.uint8, count=len(values)).astype(np.bool_)
