"""Public names that are imported when they are first used, so that importing a package root costs nothing.

`recommender serve` must limit native threads before NumPy is loaded, and the command line must start in no time; both import
the roots.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """A module's `__getattr__` (PEP 562) for `package`, where `homes` says in which module each public name is defined."""

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return load
