"""docs/settings.md lists the settings that exist: all of them, truly, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recommender.settings import ENVIRONMENT_PREFIX, Settings, load_settings

PAGE = (Path(__file__).parents[2] / "docs/settings.md").read_text(encoding="utf-8")
ROWS = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in PAGE.splitlines() if line.startswith("| `")]


def test_every_setting_is_listed_with_its_environment_name_default_and_meaning() -> None:
    expected = [
        (
            f"`{name}`",
            f"`{ENVIRONMENT_PREFIX}{name.upper()}`",
            "not set" if field.default is None else f"`{field.default}`",
            field.description,
        )
        for name, field in Settings.model_fields.items()
    ]
    listed = [*ROWS]
    assert listed == expected


def test_no_variable_is_named_that_nothing_reads() -> None:
    named = set(re.findall(rf"\b{ENVIRONMENT_PREFIX}[A-Z_]+\b", PAGE))
    assert named == {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{ENVIRONMENT_PREFIX}CONFIG"}


def test_the_example_file_can_be_used_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "recommender.toml"
    file.write_text(example, encoding="utf-8")
    monkeypatch.setenv(f"{ENVIRONMENT_PREFIX}CONFIG", str(file))

    settings = load_settings()

    assert (settings.data, settings.threads, settings.consent_default) == (Path("/srv/recommender"), 16, "none")


@pytest.mark.parametrize("name", ["threads", "page_token_hours"])
def test_the_environment_goes_over_the_file_and_a_flag_over_the_environment(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "recommender.toml"
    file.write_text(f"{name} = 3\n", encoding="utf-8")

    monkeypatch.setenv(f"{ENVIRONMENT_PREFIX}CONFIG", str(file))
    from_file = getattr(load_settings(), name)
    monkeypatch.setenv(f"{ENVIRONMENT_PREFIX}{name.upper()}", "4")
    from_environment = getattr(load_settings(), name)
    from_flag = getattr(load_settings(**{name: 5}), name)

    assert (from_file, from_environment, from_flag) == (3, 4, 5)
