"""What measurements say that they were made on."""

from __future__ import annotations

import platform
import re

from recommender.machine import interpreter, processor


def test_the_interpreter_is_named_and_timed() -> None:
    told = re.fullmatch(r"(\w+) ([\d.]+\S*) \(50,000 calls in (\d+) ms\)", interpreter())

    assert told is not None
    assert told[1] == platform.python_implementation()
    assert told[2] == platform.python_version()
    assert int(told[3]) > 0


def test_the_processor_is_named() -> None:
    assert processor()
