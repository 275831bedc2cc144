"""docs/placements.md lists every key of a placement with its default, and its example loads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from recommender.composing.rules import Rule
from recommender.errors import InvalidInput
from recommender.items import ItemKind
from recommender.placements import Placement, SourceWeights, load_placements

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "placements.md").read_text(encoding="utf-8")
OF_RULES = (DOCS / "rules.md").read_text(encoding="utf-8")
SECTIONS = ("variety", "impressions", "exploration", "breaking")
"""Keys that are tables of their own, each in a table of docs/rules.md."""


def rows_of(text: str) -> dict[str, object]:
    cells = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE)
    return {key: tomllib.loads(f"value = {default}")["value"] for key, default in cells}


def test_every_key_stands_in_the_document_with_its_default_and_no_other() -> None:
    defaults = Placement(name="home").model_dump()
    weights = {key: list(value) for key, value in SourceWeights().model_dump().items()}
    # Those without a plain default are told in words.
    others = ("name", "weights", "freshness_half_life_hours_of", "rules", *SECTIONS)
    expected = {key: value for key, value in defaults.items() if key not in others} | weights
    assert {**expected, "kinds": []} == rows_of(DOCUMENT)
    for key in ("freshness_half_life_hours_of", "rules", *SECTIONS):
        assert f"`{key}`" in DOCUMENT


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_a_section_stands_in_the_table_of_that_section(section: str) -> None:
    table = OF_RULES.split(f"| key of `[placements.NAME.{section}]` |", 1)[1].split("\n\n", 1)[0]
    assert rows_of(table) == getattr(Placement(name="home"), section).model_dump(mode="json")


def test_every_kind_of_rule_stands_in_the_document_and_its_example_is_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "placements.toml"
    path.write_text(re.findall(r"```toml\n(.*?)```", OF_RULES, re.DOTALL)[0], encoding="utf-8")
    assert [rule.do for rule in load_placements(path).get("home").rules] == ["pin", "limit", "ensure", "exclude"]
    kinds = [get_args(kind.model_fields["do"].annotation)[0] for kind in get_args(get_args(Rule)[0])]
    table = OF_RULES.split("| `do` |", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == kinds


def test_the_example_is_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "placements.toml"
    path.write_text(re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)[0], encoding="utf-8")
    placements = load_placements(path)
    assert list(placements.by_name) == ["home", "article-sidebar", "radio"]
    assert placements.get("article-sidebar").weights.content == (0, 1, 1, 0.8)
    assert placements.get("").name == "home"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "placements"),
        ("[placements]", "placements"),
        ("[other.home]", "other"),
        ("[placements.home]\nsize = 3", "placements.home.size"),
        ("[placements.home]\nkinds = ['film']", "article, product, media"),
        ("[placements.home]\npage_size = 0", "page_size"),
        ("[placements.home]\nrepeat = 'sometimes'", "'never' or 'allowed'"),
        ("[placements.home.weights]\ncontent = [1, 2]", "weights.content"),
        ("[placements.home.weights]\ncontent = [1, 2, 3, -1]", "weights.content"),
        ("[placements.home.weights]\nsocial = [1, 2, 3, 4]", "weights.social"),
        ("[placements.'Not A Name']", "Not A Name"),
        ("not toml", "TOML"),
    ],
)
def test_a_bad_file_is_refused_by_key_with_what_is_allowed(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "placements.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as refused:
        load_placements(path)
    assert str(path) in str(refused.value)
    assert named in str(refused.value)


def test_the_version_of_a_placement_changes_with_any_setting() -> None:
    home = Placement(name="home")
    articles = Placement(name="home", kinds=frozenset({ItemKind.ARTICLE}))
    changed = [home.model_copy(update={"page_size": 21}), articles, Placement(name="hom")]
    assert len({placement.version for placement in [home, *changed]}) == 4
