"""What a measurement was made on: the processor, and the interpreter with how it was built, which makes as much of a difference."""

from __future__ import annotations

import platform
import sysconfig
from pathlib import Path

OPTIMISED, PLAIN = "built with --enable-optimizations", "built without --enable-optimizations"


def interpreter() -> str:
    """Name and version of the interpreter, and whether it was optimised by a profile when it was built.

    Those of distributions, of python.org and of the official images are; what pyenv builds is not unless it is told to, and runs Python
    code at two thirds of their speed.
    """
    given = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return f"{platform.python_implementation()} {platform.python_version()}, {OPTIMISED if '--enable-optimizations' in given else PLAIN}"


def processor() -> str:
    """The processor's name, or what kind it is where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
