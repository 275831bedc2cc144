"""Keeps pandas out of the serving process.

pyarrow imports pandas wherever it is installed, at the first conversion from or to NumPy: .7 s of every start and tens of
megabytes, for types that never come up here. Where pandas is absent it does without, and that is what it is made to see.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Absent(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is kept out of the serving process", name=fullname)
        return None


def keep_pandas_out() -> None:
    """From now on `import pandas` fails in this process as if it were not installed; what is imported already stays."""
    sys.meta_path.insert(0, _Absent())
