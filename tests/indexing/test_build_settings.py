"""Files of build settings, and the page that documents them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from recommender.cli import run
from recommender.errors import InvalidInput
from recommender.events import EventType
from recommender.profile import BuildSettings, Gate, load_build_settings

WORDS = {"embedder": "x", "embed_precision": "bfloat16", "blending.ranker": "never"}
"""Other values of settings that are words."""
LISTS = {"blending.reveals": (0.3, 0.0), "blending.history_decays": (0.5,)}
"""Other values of settings that are lists."""
PAGE = Path(__file__).parents[2] / "docs" / "build-settings.md"


def leaves(settings: BaseModel, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its value, in the order of the model."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{before}{name}.")
        else:
            yield before + name, value


def documented() -> dict[str, list[str]]:
    """The rows of the page's tables: key, then default, range, meaning."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert all(len(row) == 4 for row in rows)
    return {row[0].strip("| `"): row[1:] for row in rows}


def test_every_key_is_documented_with_its_default_and_no_other() -> None:
    defaults = dict(leaves(BuildSettings()))
    assert list(documented()) == list(defaults)
    for key, (default, *_) in documented().items():
        value = tomllib.loads(f"value = {default.strip('`')}")["value"]
        # What is "auto" in a file is read off the data by a build.
        expected = {None: "auto"}.get(defaults[key], defaults[key]) if not isinstance(defaults[key], tuple) else list(defaults[key])
        assert value == expected, key


def test_every_key_is_documented_with_its_range_and_meaning() -> None:
    for key, (_, allowed, meaning) in documented().items():
        assert allowed, key
        assert len(meaning) > 10, key
        assert meaning.endswith("."), key


def test_the_documented_ranges_are_those_that_are_enforced() -> None:
    for key, (_, allowed, _) in documented().items():
        if key in WORDS or key in LISTS:
            continue
        bounds = re.fullmatch(r"(above )?(\S+) to (below )?(\S+)", re.sub(r"at least (\d)", r"\1 to 10,000,000,000", allowed))
        assert bounds, f"{key}: {allowed}"
        least, most = float(bounds[2].replace(",", "")), float(bounds[4].replace(",", ""))
        accepted = {value: accepts(key, value) for value in (least, most, least - 1, most + 1)}
        assert accepted == {least: not bounds[1], most: not bounds[3], least - 1: False, most + 1: "at least" in allowed}, key


def accepts(key: str, value: float) -> bool:
    table: Any = int(value) if value.is_integer() else value
    for part in reversed(key.split(".")):
        table = {part: table}
    try:
        BuildSettings.model_validate(table)
    except ValueError:
        return False
    return True


def test_the_example_of_the_page_is_a_file_of_build_settings(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "build.toml"
    path.write_text(example)
    assert load_build_settings(path) != BuildSettings()


def test_a_file_may_leave_half_lives_to_the_data(tmp_path: Path) -> None:
    path = tmp_path / "build.toml"
    path.write_text("half_life_days = 'auto'\n[popularity]\nhalf_life_days = 'auto'\nrecent_half_life_days = 'auto'\n")
    assert load_build_settings(path) == BuildSettings()


def test_without_a_file_the_defaults_hold() -> None:
    assert load_build_settings(None) == BuildSettings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("half_life_days = 0", ["half_life_days: given 0", "greater than 0"]),
        ("[collaborative]\nfactors = 'many'", ["collaborative.factors: given 'many'", "integer"]),
        ("[collaborative]\nfactor = 3", ["collaborative.factor: given 3", "the keys factors, regularisation, alpha"]),
        ("halflife = 3", ["halflife: given 3", "the keys event_weights, half_life_days"]),
        ("collaborative = 3", ["collaborative: given 3"]),
        ("embed_precision = 'int8'", ["embed_precision: given 'int8'", "'float32' or 'bfloat16'"]),
        ("[popularity]\nhalf_life_days = 'soon'", ["popularity.half_life_days: given 'soon'", "valid number"]),
        ("[blending]\nreveals = [0.5, 0.5]", ["blending.reveals: given [0.5, 0.5]", "different shares of 0 or more, below 1"]),
        ("[blending]\nreveals = []", ["blending.reveals: given []", "at least 1 item"]),
        ("[blending]\nhistory_decays = [0.0]", ["blending.history_decays: given [0.0]", "factors above 0, at most 1"]),
        ("[event_weights]\nwatch = 101", ["event_weights.watch: given 101", "less than or equal to 100"]),
        ("= 3", ["a TOML file of build settings"]),
    ],
)
def test_a_bad_file_is_refused_by_file_and_key(tmp_path: Path, text: str, said: list[str]) -> None:
    path = tmp_path / "build.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_build_settings(path)
    for part in [str(path), *said]:
        assert part in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.toml"):
        with pytest.raises(InvalidInput, match="a TOML file of build settings"):
            load_build_settings(path)


def test_the_command_tells_of_a_bad_file_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "build.toml"
    path.write_text("seed = -1")
    assert run(["reindex", "--data", str(tmp_path), "--build", str(path)]) == 1
    [message] = capsys.readouterr().err.splitlines()
    assert message.startswith(f"error: {path}: seed: given -1, allowed: ")


def test_the_hash_changes_with_every_setting_but_the_gates() -> None:
    usual = BuildSettings()
    seen, of_the_gate = {usual.hash}, BuildSettings(gate=Gate(least_kept=0.1, latency_ms=5))
    assert of_the_gate.hash == usual.hash
    learnt_with = [(key, value) for key, value in leaves(usual) if not key.startswith("gate.")]
    for key, value in learnt_with:
        named = {**WORDS, **LISTS}.get(key) or (3.0 if value is None else None)
        other: Any = named or (value * 0.9 + 0.003 if isinstance(value, float) else value - 1 if value > 1 else value + 1)
        for part in reversed(key.split(".")):
            other = {part: other}
        seen.add(BuildSettings.model_validate(other).hash)
    assert len(seen) == 1 + len(learnt_with)


def test_a_copy_with_other_settings_is_another_profile_with_other_weights() -> None:
    settings = BuildSettings()
    # Worked out once before the copy is made.
    before = settings.hash, settings.weight_table[EventType.VIEW]

    copied = settings.model_copy(update={"event_weights": settings.event_weights.model_copy(update={"view": 3.0})})

    assert copied.hash != before[0]
    assert (copied.weight_table[EventType.VIEW], before[1]) == (3.0, 0.5)
    assert settings.model_copy().hash == settings.hash
