"""What is outside the documented subset is refused, with the part, its place, and what is allowed."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.columns import BoolColumn, Columns, NumberColumn, StringColumn, StringListColumn, TimeColumn
from recommender.conditions import DEPTH_LIMIT, EXPRESSION_LIMIT, LIST_LIMIT, NESTING_LIMIT, NODE_LIMIT, compile_condition
from recommender.errors import InvalidCondition

COLUMNS = Columns(
    1,
    {
        "kind": StringColumn(np.zeros(1, np.int32), ("article",)),
        "title": StringColumn(np.zeros(1, np.int32), ("Heat",)),
        "tags": StringListColumn(np.array([0, 1]), np.zeros(1, np.int32), ("new",)),
        "price": NumberColumn(np.ones(1)),
        "published_at": TimeColumn(np.zeros(1, np.int64)),
        "attributes.premium": BoolColumn(np.ones(1, np.int8)),
        "attributes.year": NumberColumn(np.ones(1)),
    },
)


def refusal(expression: str) -> InvalidCondition:
    with pytest.raises(InvalidCondition) as caught:
        compile_condition(expression, COLUMNS)
    assert caught.value.field == "filter"
    return caught.value


@pytest.mark.parametrize(
    ("expression", "given", "allowed"),
    [
        ("prize > 5", "prize (character 1)", "the fields kind, title, tags, price, published_at, attributes.premium, attributes.year"),
        ("true || attributes.yeer > 5", "attributes.yeer (character 9)", "attributes.premium, attributes.year"),
        ("has(attributes.yeer)", "attributes.yeer (character 5)", "attributes.year"),
        ('price > "5"', 'price > "5" (character 1)', 'price is double, "5" is string'),
        ('true && "5" < size(tags)', '"5" < size(tags) (character 9)', '"5" is string, size(tags) is int'),
        ('published_at > "2026-01-01"', "(character 1)", 'published_at is timestamp, "2026-01-01" is string; a time is written timestamp('),
        ('now - published_at > "1h"', "(character 1)", 'duration("48h")'),
        ('tags == "new"', "(character 1)", 'asked with "…" in tags'),
        ("tags == tags", "tags == tags", "tags is list(string)"),
        ("price in tags", "price in tags", "price is double"),
        ('price in [1, "2"]', "(character 1)", 'price is double, 1 is int, "2" is string'),
        ("price in 5", "price in 5", "5 is int"),
        ("price in [1, price]", "price (character 14)", "constants"),
        ("now in [now]", "now (character 9)", "constants"),
        ("price in attributes", "price in attributes", "attributes is map"),
        ("title in attributes", "title in attributes", "attributes is map"),
        ("attributes.premium > false", "(character 1)", "attributes.premium is bool"),
        ("price < 1 < 2", "price < 1 < 2", "price < 1 is bool, 2 is int"),
        ("price", "price (character 1)", "true or false; price is double"),
        ("true && 1", "1 (character 9)", "true or false; 1 is int"),
        ("!price", "price (character 2)", "price is double"),
        ("-title == title", "-title (character 1)", "title is string"),
        ("title + 1 == title", "title + 1", "title is string, 1 is int"),
        ("now + now > now", "now + now", "now is timestamp, now is timestamp"),
        ('duration("1h") * 2 > duration("1h")', 'duration("1h") * 2', "+ and - only"),
        ('duration("1h") - now > now', 'duration("1h") - now', "now is timestamp"),
        ("price == tags.size", "tags.size", "a dot after attributes only"),
        ("attributes == attributes", "(character 1)", "attributes is map"),
        ("attributes", "attributes (character 1)", "attributes is map"),
        ("tags == null", "tags == null", "that is no list"),
        ("price > null", "price > null", "field == null"),
        ("price + 1 == null", "price + 1 == null", "field == null"),
        ("null == null", "null == null", "field == null"),
        ('kind == "ARTICLE"', '"ARTICLE" (character 9)', "article, product, media"),
        ('"film" != kind', '"film" (character 1)', "article, product, media"),
        ('kind in ["media", "film"]', '"film" (character 19)', "article, product, media"),
        ("has(price)", "has(price)", "field != null"),
        ("has(attributes)", "has(attributes)", "has(attributes.name)"),
        ("has()", "has()", "has(attributes.name)"),
        ("size(price) > 1", "size(price)", "price is double"),
        ("size() > 1", "size()", "these are 0"),
        ("size(tags, tags) > 1", "size(tags, tags)", "these are 2"),
        ("price.size() > 1", "price.size()", "price is double"),
        ("price.startsWith('a')", "price.startsWith('a')", "price is double"),
        ("title.startsWith(title)", "title.startsWith(title)", "title is string"),
        ("title.startsWith(1)", "title.startsWith(1)", "1 is int"),
        ("title.contains()", "title.contains()", "there is none"),
        ('title.contains("a", "b")', 'title.contains("a", "b")', "one text literal"),
        ("title.lower() == title", "title.lower()", "startsWith, endsWith, contains, matches"),
        ("lower(title) == title", "lower(title)", "timestamp, duration, size, has"),
        ("int(price) == 1", "int(price)", "timestamp, duration, size, has"),
        ('title.matches("(")', '"(" (character 15)', "RE2"),
        (r'title.matches(r"(a)\1")', r'r"(a)\1" (character 15)', "RE2"),
        ('title.matches("(?=a)")', '"(?=a)" (character 15)', "RE2"),
        ('title.matches("[a-z]{500}")', '"[a-z]{500}" (character 15)', "100 steps"),
        ('title.matches("a{60}") || title.matches("b{60}")', '"b{60}" (character 41)', "together at most 100 steps"),
        ("title.exists(t, t == 'a')", "(character 1)", "title is string"),
        ("tags.exists(t)", "tags.exists(t)", "a name and a condition"),
        ("tags.exists('t', true)", "tags.exists('t', true)", "a name and a condition"),
        ("tags.exists(t, t)", "t (character 16)", "t is string"),
        ("tags.exists(t, t == title)", "title (character 21)", "t, now and constants only"),
        ("tags.exists(t, attributes.year > 1)", "attributes.year (character 16)", "t, now and constants only"),
        ("tags.exists(t, tags.exists(u, u == t))", "tags (character 16)", "t, now and constants only"),
        ("tags.all(t, t == 'a')", "t (character 10)", "the fields"),
        ('timestamp("2026-01-31") < now', 'timestamp("2026-01-31")', "RFC 3339"),
        ('timestamp("2026-02-30T00:00:00Z") < now', "(character 1)", "RFC 3339"),
        ('timestamp("2026-01-01T00:00:60Z") < now', "(character 1)", "RFC 3339"),
        ('timestamp("0000-01-01T00:00:00Z") < now', "(character 1)", "RFC 3339"),
        ('timestamp("0001-01-01T00:00:00+14:00") < now', "(character 1)", "RFC 3339"),
        ("timestamp(title) < now", "timestamp(title)", "RFC 3339"),
        ("timestamp(0) < now", "timestamp(0)", "RFC 3339"),
        ('duration("2d") < now - now', 'duration("2d")', "h, m, s, ms, us"),
        ('duration("") < now - now', 'duration("")', "h, m, s, ms, us"),
        ('duration("5") < now - now', 'duration("5")', "h, m, s, ms, us"),
        ('duration("1ns") < now - now', 'duration("1ns")', "h, m, s, ms, us"),
        ('duration("99999999h") < now - now', "(character 1)", "10,000 years"),
        ('timestamp("9999-12-31T00:00:00Z") + duration("48h") > now', "(character 1)", "the years 1 and 9999"),
        ("1 / 0 == 1", "1 / 0", "that has a result"),
        ("0.0 / 0.0 == 1.0", "0.0 / 0.0", "that has a result"),
        ("9007199254740991 + 1 > 0", "9007199254740991 + 1", "2^53"),
        ("price > 9007199254740992", "9007199254740992 (character 9)", "2^53"),
        ("price > 1e999", "1e999 (character 9)", "float64"),
        ("price > 5u", "5u (character 9)", "without the suffix u"),
        ("price % 2 == 1", "price % 2", "% is not supported"),
        ("true ? true : false", "true ? true : false", "? : is not supported"),
        ("{'a': 1} == {}", "{'a': 1}", "maps"),
        ("tags[0] == 'a'", "tags[0]", 'attributes["name"]'),
        ("attributes[title] == 1", "attributes[title]", 'attributes["name"]'),
        ("price{a: 1} == 1", "price{a: 1}", "messages"),
        (".price > 1", ".price", "without a leading dot"),
        (".size(tags) > 1", ".size(tags)", "without a leading dot"),
        ("title == b'a'", "b' (character 10)", "bytes"),
        ("title == 'a", "'a (character 10)", "ends with '"),
        ("title == 'a\nb'", "'a (character 10)", "same line"),
        ("title == '''a", "'''a (character 10)", "ends with '''"),
        (r"title == 'a\q'", r"\q (character 12)", r"\uhhhh"),
        (r"title == '\ud800'", r"\ud800 (character 11)", "surrogate"),
        (r"title == '\U00110000'", r"\U00110000 (character 11)", "Unicode character"),
        (r"title == '\x4'", r"\x4' (character 11)", "hh"),
        ("title == '\ud800'", "(character 11)", "lone surrogates"),
        ("title == 'a''b'", "'b' (character 13)", "an operator between"),
        ("title == 'a' 'b'", "'b' (character 14)", "cannot stand here"),
        ("price >> 5", "> 5 (character 8)", "cannot stand here"),
        ("price = 5", "= 5 (character 7)", "cannot stand here"),
        ("price > 5 and true", "and true (character 11)", "cannot stand here"),
        ("price > 5 &&", "price > 5 &&", "ends too early"),
        ("(price > 5", "(price > 5 (character 1)", "closing )"),
        ("price > 5)", ") (character 10)", "match"),
        ("price in [1)", ") (character 12)", "match"),
        ("", "nothing (character 1)", "a condition such as"),
        (" \n// nothing", "nothing (character 1)", "a condition such as"),
        ("price > 1 ; drop", "; drop (character 11)", "cannot stand here"),
        ('"""\n\n""" == title @', "@ (character 19)", "cannot stand here"),
        ("__import__('os').system('true')", "__import__('os')", "the functions"),
    ],
)
def test_a_refusal_shows_the_part_its_place_and_what_is_allowed(expression: str, given: str, allowed: str) -> None:
    error = refusal(expression)
    assert given in str(error.given)
    assert allowed in error.allowed


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("x" * (EXPRESSION_LIMIT + 1), f"at most {EXPRESSION_LIMIT} characters"),
        ("(" * 10_000 + "true" + ")" * 10_000, f"at most {EXPRESSION_LIMIT} characters"),
        ("(" * (NESTING_LIMIT + 1) + "true" + ")" * (NESTING_LIMIT + 1), f"at most {NESTING_LIMIT} brackets"),
        ("[" * 900 + "]" * 900, f"at most {NESTING_LIMIT} brackets"),
        ("(" * 1_900, f"at most {NESTING_LIMIT} brackets"),
        ("!" * DEPTH_LIMIT + "true", f"at most {DEPTH_LIMIT} operations within operations"),
        ("!" * 1_990 + "true", f"at most {DEPTH_LIMIT} operations within operations"),
        ("-" * 1_990 + "1 == 1", f"at most {DEPTH_LIMIT} operations within operations"),
        ("1 == " + "+".join("1" * DEPTH_LIMIT), f"at most {DEPTH_LIMIT} operations within operations"),
        ("title" + ".a" * 900, f"at most {DEPTH_LIMIT} operations within operations"),
        ("||".join(["1<2"] * 250), f"at most {NODE_LIMIT} operations, names and literals"),
        (f"price in [{','.join('1' * (LIST_LIMIT + 1))}]", f"at most {LIST_LIMIT} items"),
    ],
)
def test_what_exceeds_a_bound_is_refused(expression: str, allowed: str) -> None:
    assert allowed in refusal(expression).allowed


@pytest.mark.parametrize(
    "expression",
    [
        "true" + " " * (EXPRESSION_LIMIT - 4),
        "(" * NESTING_LIMIT + "true" + ")" * NESTING_LIMIT,
        "!" * (DEPTH_LIMIT - 1) + "true",
        "||".join(["true"] * 300),
        f"price in [{','.join('1' * LIST_LIMIT)}]",
    ],
)
def test_what_just_keeps_a_bound_is_accepted(expression: str) -> None:
    compile_condition(expression, COLUMNS)


@pytest.mark.parametrize("quote", ['"', "'", '"""', "'''"])
def test_text_that_makes_the_parsers_own_pattern_backtrack_is_refused_at_once(quote: str) -> None:
    assert "ends with" in refusal(f"title == {quote}" + r"\a" * 900).allowed


def test_a_hundred_unknown_names_do_not_flood_the_message() -> None:
    columns = Columns(1, {f"attributes.a{i}": NumberColumn(np.ones(1)) for i in range(100)})
    with pytest.raises(InvalidCondition, match="and 40 more"):
        compile_condition("attributes.b == 1", columns)


_PIECES = st.sampled_from(
    [
        *("price", "title", "tags", "attributes", ".", "year", "now", "timestamp", "has", "size", "exists", "matches", "x", "true", "null"),
        *("(", ")", "[", "]", "{", "}", ",", "==", "<", "in", "&&", "||", "!", "-", "+", "?", ":"),
        *("1", "1.5", '"a"', "'", '"', "\\", " ", "\n", "//", "r", "é"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(_PIECES, max_size=25).map("".join), st.lists(_PIECES, max_size=25).map(" ".join)))
def test_any_text_is_either_compiled_or_refused(expression: str) -> None:
    try:
        condition = compile_condition(expression, COLUMNS)
    except InvalidCondition:
        return
    assert condition.mask(COLUMNS, datetime(2026, 1, 31, tzinfo=UTC)).shape == (1,)
