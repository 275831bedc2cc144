"""`recommender placements`: editors check their file before they put it in place, and see every setting in force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recommender.cli import run
from recommender.placements import Placement, load_placements

TWO = """
[placements.home]
page_size = 12
kinds = ["media", "article"]
weights = { popular = [1.0, 0.5, 0.25, 0.125] }

[placements.article-sidebar]
freshness_half_life_hours = 1000000
repeat = "allowed"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A placement file with two placements."""
    path = tmp_path / "placements.toml"
    path.write_text(TWO, encoding="utf-8")
    return path


def test_check_names_the_placements_of_a_valid_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["placements", "check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: valid, 2 placements: home, article-sidebar\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[placements.home]\npage_size = 0\n", "placements.home.page_size: given 0"),
        ("[placements.home]\npagesize = 10\n", "placements.home.pagesize: given 10, allowed: the keys kinds, page_size"),
        ("[placement.home]\n", "tables [placements.<name>] only"),
        ("page_size = ", "a TOML file of [placements.<name>] tables"),
    ],
)
def test_check_says_what_is_wrong_with_a_file(text: str, said: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(text, encoding="utf-8")

    assert run(["placements", "check", str(file)]) == 1
    assert said in capsys.readouterr().err


def test_check_says_that_a_file_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["placements", "check", str(tmp_path / "none.toml")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_show_prints_what_is_set_and_what_is_default(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["placements", "show", str(file)]) == 0

    shown = capsys.readouterr().out
    home, sidebar = shown.split("article-sidebar (version ")
    assert f"home (version {load_placements(file).get('home').version})" in home
    assert "article, media" in home
    assert "1 / 0.5 / 0.25 / 0.125" in home
    assert "for 0 / 1–2 / 3–9 / 10+ events of history" in home
    assert "1000000" in sidebar
    assert "allowed" in sidebar


def test_show_as_json_gives_every_setting_of_every_placement(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["placements", "show", "--json", str(file)]) == 0

    shown = json.loads(capsys.readouterr().out)
    placements = load_placements(file)
    assert list(shown) == ["home", "article-sidebar"]
    assert shown["home"]["kinds"] == ["article", "media"]
    for name, settings in shown.items():
        assert settings.keys() == {"version", *Placement.model_fields} - {"name"}
        again = Placement.model_validate({"name": name, **{key: value for key, value in settings.items() if key != "version"}})
        assert again == placements.get(name)
        assert settings["version"] == again.version


def test_show_without_a_file_takes_the_one_that_the_settings_name(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECOMMENDER_PLACEMENTS", str(file))
    assert run(["placements", "show", "--json"]) == 0
    from_settings = json.loads(capsys.readouterr().out)

    monkeypatch.delenv("RECOMMENDER_PLACEMENTS")
    assert run(["placements", "show", "--json"]) == 0
    built_in = json.loads(capsys.readouterr().out)

    assert list(from_settings) == ["home", "article-sidebar"]
    assert list(built_in) == ["home"]
