"""Native libraries without pools of threads: a server answers many calls at once, each on a thread of its own."""

from __future__ import annotations

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def single_threaded() -> None:
    """Have native libraries that are loaded from now on, here and in processes started from here, use one thread for each call."""
    for variable in VARIABLES:
        os.environ[variable] = "1"
