"""docs/tuning.md lists the parts, settings and options that exist."""

from __future__ import annotations

import re
from pathlib import Path

from eval.tuning.command import tune
from eval.tuning.space import PARTS
from eval.tuning.training_part import READERS

PAGE = (Path(__file__).parents[2] / "docs/tuning.md").read_text(encoding="utf-8")


def test_every_part_is_listed_with_its_variant_and_settings() -> None:
    expected = [(part.name, part.variant, ", ".join(f"`{path}`" for path in part.ranges)) for part in PARTS]
    names = "|".join(part.name for part in PARTS)
    assert re.findall(rf"^\| `({names})` \| (\w+) \| (.*) \|$", PAGE, re.MULTILINE) == expected


def test_every_option_is_listed_and_no_other() -> None:
    rows = re.findall(r"^\| (`--.*?) \|", PAGE, re.MULTILINE)
    listed = [option for row in rows for option in re.findall(r"`(--[a-z]+)`", row)]
    assert sorted(listed) == sorted(option for parameter in tune.params for option in parameter.opts)


def test_every_format_is_named() -> None:
    assert all(f"`{name}`" in PAGE for name in READERS)
