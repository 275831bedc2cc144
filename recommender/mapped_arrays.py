"""Arrays of files, mapped into memory."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# NumPy parses a header as Python; before 3.11.8 two threads that parse at once may fail each other with a SystemError (CPython 106905).
_ONE_AT_A_TIME = threading.Lock()


def mapped_array(path: Path) -> npt.NDArray[Any]:
    """The array in the `.npy` file at `path`, read-only, its pages read when they are touched.

    Raises OSError, EOFError or ValueError where the file is missing or malformed.
    """
    with _ONE_AT_A_TIME:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    # A plain array over the mapped file: np.memmap itself makes every indexing slower.
    return np.asarray(mapped)
