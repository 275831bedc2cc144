"""docs/filters.md is true: every example is run, every field and bound is the program's."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from recommender.columns import BoolColumn, NumberColumn, StringColumn, StringListColumn, TimeColumn
from recommender.conditions import DEPTH_LIMIT, EXPRESSION_LIMIT, LIST_LIMIT, NESTING_LIMIT, NODE_LIMIT, compile_condition
from recommender.conditions.patterns import STEP_LIMIT
from recommender.errors import InvalidCondition
from recommender.generation.catalogue import FILTER_FIELDS, Catalogue
from recommender.items import Item, ItemKind, ItemState
from recommender.times import parse_time

DOCUMENT = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def examples(language: str) -> list[str]:
    return [line for fence in fences(language) for line in fence.splitlines()]


def item(given: dict[str, object]) -> Item:
    times = {name: parse_time(str(given[name])) for name in ("published_at", "valid_from", "valid_to") if name in given}
    lists = {name: tuple(given[name]) for name in ("categories", "tags") if name in given}
    return Item(**{**given, **times, **lists, "kind": ItemKind[str(given["kind"]).upper()]})


(TEXT,) = fences("json")
ITEMS = [item(given) for given in json.loads(TEXT)]
COLUMNS = Catalogue.of([(number, ItemState.LIVE, each) for number, each in enumerate(ITEMS, start=1)]).columns


@pytest.mark.parametrize("line", examples("cel"))
def test_an_example_passes_the_items_that_stand_after_it(line: str) -> None:
    expected = line.rsplit("//", 1)[1].split()
    mask = compile_condition(line, COLUMNS).mask(COLUMNS, NOW)
    assert [ITEMS[row].id for row in np.flatnonzero(mask)] == expected


@pytest.mark.parametrize("line", examples("refused"))
def test_a_refusal_says_what_stands_after_it(line: str) -> None:
    expression, given, allowed = (part.strip() for part in line.split("//"))
    with pytest.raises(InvalidCondition) as caught:
        compile_condition(expression, COLUMNS)
    assert given in str(caught.value.given)
    assert allowed in caught.value.allowed


def test_the_fields_are_those_of_a_catalogue_in_their_types() -> None:
    table = DOCUMENT.split("## Fields")[1].split("\n## ")[0]
    documented = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|", table, re.MULTILINE))
    assert documented.pop("now") == "timestamp"
    assert documented.pop("attributes.<name>") == "string, double or bool"
    assert set(documented) == set(FILTER_FIELDS)
    classes = {
        StringColumn: "string",
        StringListColumn: "list(string)",
        NumberColumn: "double",
        BoolColumn: "bool",
        TimeColumn: "timestamp",
    }
    assert documented == {name: classes[type(COLUMNS.by_name[name])] for name in FILTER_FIELDS}


def test_the_bounds_are_the_programs() -> None:
    table = DOCUMENT.split("## Bounds")[1].split("\n\n")[1]
    bounds = [int(number) for number in re.findall(r"\| (\d+) \|$", table, re.MULTILINE)]
    assert bounds == [EXPRESSION_LIMIT, NESTING_LIMIT, DEPTH_LIMIT, NODE_LIMIT, LIST_LIMIT, STEP_LIMIT]


@pytest.mark.parametrize("literal", re.findall(r"`([^`]+)`", DOCUMENT.split("### Literals")[1].split("### Comparisons")[0]))
def test_a_literal_that_is_shown_is_one(literal: str) -> None:
    if literal in ("==", "!=", "h", "m", "s", "ms", "us"):
        return
    if literal.startswith("\\"):
        literal = f'"{literal}"'
    kinds = {'"""': "title", "[": "list", "timestamp": "now", "duration": "(now - now)", "true": "true", "false": "true"}
    beside = next((left for start, left in kinds.items() if literal.startswith(start)), None)
    if beside == "list":
        first = "title" if literal.startswith('["') else "price"
        compile_condition(f"{first} in {literal}", COLUMNS)
    else:
        beside = beside or ("title" if literal[0] in "\"'r" else "price")
        assert compile_condition(f"{beside} == {literal} || true", COLUMNS).mask(COLUMNS, NOW).all()
