"""docs/placements.md lists every key of a placement with its default, and its example loads."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from recommender.errors import InvalidInput
from recommender.items import ItemKind
from recommender.placements import Placement, SourceWeights, load_placements

DOCUMENT = (Path(__file__).parents[2] / "docs/placements.md").read_text(encoding="utf-8")
CELLS = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", DOCUMENT, re.MULTILINE)
ROWS = {key: tomllib.loads(f"value = {default}")["value"] for key, default in CELLS}


def test_every_key_stands_in_the_document_with_its_default_and_no_other() -> None:
    defaults = Placement(name="home").model_dump()
    weights = {key: list(value) for key, value in SourceWeights().model_dump().items()}
    expected = {key: value for key, value in defaults.items() if key not in ("name", "weights")} | weights
    assert {**expected, "kinds": []} == ROWS


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
