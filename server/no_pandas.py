"""Serving does without pandas, also where it is installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


class _NoPandas(MetaPathFinder):
    """Says of pandas that there is none."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Raise ModuleNotFoundError for pandas; leave all else to others."""
        if fullname == "pandas":
            raise ModuleNotFoundError("serving does without pandas", name=fullname)


def do_without_pandas() -> None:
    """Have whoever imports pandas from now on find that there is none: pyarrow does so with the first array that it makes, which would cost
    a serving process a quarter of a second and tens of megabytes for nothing."""
    sys.meta_path.insert(0, _NoPandas())
