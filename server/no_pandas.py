"""Serving does without pandas, also where it is installed."""

from __future__ import annotations

import sys


def do_without_pandas() -> None:
    """Have whoever imports pandas from now on find that there is none: pyarrow does so with the first array that it makes, which would cost
    a serving process a quarter of a second and tens of megabytes for nothing."""
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]
