"""Arrays as those from memory-mapped files are: kernels are compiled once more for those that may be written to."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Scalar = TypeVar("Scalar", bound=np.generic)


def read_only(array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """The same numbers, not to be written to through what is returned."""
    view = array.view()
    view.flags.writeable = False
    return view
