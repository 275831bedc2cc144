"""`recommender placements`: editors check their file before they put it in place, and see every setting in force."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from handmade import NOW, contents_of, some_items
from published import added

from recommender.cli import run
from recommender.generation import Generations
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


RULES = """
[[placements.home.rules]]
name = "cheap"
do = "boost"
filter = "price < 3.0"
factor = 2.0

[[placements.home.rules]]
name = "two-per-author"
do = "limit"
of = "author"
at_most = 2

[[placements.home.rules]]
name = "local"
do = "ensure"
filter = 'attributes.region == "FR"'
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A deployment with an active generation of twelve items, whose prices go from 0 to 11."""
    generations = Generations(tmp_path / "data/generations")
    made = contents_of([replace(item, price=float(row)) for row, item in enumerate(some_items(12))])
    generations.activate(added(generations, made, NOW), now=NOW)
    return tmp_path / "data"


def test_check_beside_a_deployment_says_of_how_many_items_each_rule_speaks(
    file: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(RULES.split('[[placements.home.rules]]\nname = "local"')[0], encoding="utf-8")
    assert run(["placements", "check", str(file), "--data", str(data)]) == 0
    said = capsys.readouterr().out
    assert [line.split("│")[3].strip() for line in said.splitlines() if "│ home" in line] == ["3", "12"]
    assert said.endswith("valid, 1 placement: home\n")


def test_check_beside_a_deployment_refuses_rules_about_what_no_item_has(file: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(RULES, encoding="utf-8")
    assert run(["placements", "check", str(file)]) == 0
    capsys.readouterr()
    assert run(["placements", "check", str(file), "--data", str(data)]) == 1
    said = capsys.readouterr()
    assert "cannot be asked" in said.out
    assert "placements.home.rules[2].filter: given 'attributes.region" in said.err


def test_check_beside_a_deployment_without_a_generation_says_so(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["placements", "check", str(file), "--data", str(tmp_path / "empty")]) == 1
    assert "no active generation" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('do = "boost"\nfilter = "price <"\nfactor = 2', "placements.home.rules[0].filter: given 'price <', allowed: a condition in CEL"),
        ('do = "exclude"\nfilter = ""', "placements.home.rules[0].filter: given ''"),
        ('do = "limit"\nof = "price"\nat_most = 1', "placements.home.rules[0].of: given 'price', allowed: author, brand, owner, kind"),
        (
            'do = "exclude"\nfilter = "price < 3.0"\naudience = "age > 3.0"',
            "placements.home.rules[0].audience: given 'age > 3.0', allowed: a condition in CEL on who asks; instead of age",
        ),
        ('do = "hide"', "placements.home.rules[0].do: given 'hide', allowed: pin, boost, bury, limit, ensure, require, exclude"),
    ],
)
def test_check_says_what_is_wrong_with_a_rule(rule: str, said: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f'[[placements.home.rules]]\nname = "it"\n{rule}\n', encoding="utf-8")
    assert run(["placements", "check", str(file)]) == 1
    assert said in capsys.readouterr().err


def test_show_prints_rules_and_the_tables_within_a_placement(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(RULES, encoding="utf-8")
    assert run(["placements", "show", str(file)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "3, the first is the weightiest" in shown
    assert "two-per-author │ limit of=author at_most=2" in shown
    assert "near_duplicates │ collapse" in shown


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
