"""Conditions on a handful of items whose answers are known."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from recommender.columns import BoolColumn, Columns, NumberColumn, StringColumn, StringListColumn, TimeColumn
from recommender.conditions import compile_condition
from recommender.errors import InvalidCondition, InvalidInput
from recommender.times import MISSING_TIME, to_micros

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)
PUBLISHED = [NOW - timedelta(hours=1), NOW - timedelta(hours=48), NOW - timedelta(days=30), None]

# Rows: 0 a fresh English article, 1 a Portuguese product, 2 an English film, 3 an item of which next to nothing is known.
COLUMNS = Columns(
    4,
    {
        "id": StringColumn(np.array([0, 1, 2, 3], np.int32), ("a", "p", "m", "x")),
        "kind": StringColumn(np.array([0, 1, 2, 0], np.int32), ("article", "product", "media")),
        "title": StringColumn(np.array([0, 1, 2, 3], np.int32), ("Goal!", 'A "Grande" Taça – 日本 🎈', "Heat (1995)", "")),
        "language": StringColumn(np.array([0, 1, 0, -1], np.int32), ("en", "pt")),
        "author": StringColumn(np.array([0, -1, 1, -1], np.int32), ("Ann", "Mann")),
        "owner": StringColumn(np.array([1, 1, 1, -1], np.int32), ("Mann", "Ann")),
        "categories": StringListColumn(np.array([0, 2, 3, 5, 5]), np.array([0, 1, 2, 1, 3], np.int32), ("sports", "news", "Ann", "crime")),
        "tags": StringListColumn(np.array([0, 0, 1, 1, 1]), np.array([0], np.int32), ("new",)),
        "price": NumberColumn(np.array([np.nan, 20.0, 3.5, np.nan])),
        "published_at": TimeColumn(np.array([MISSING_TIME if moment is None else to_micros(moment) for moment in PUBLISHED])),
        "valid_to": TimeColumn(np.array([MISSING_TIME, to_micros(NOW), to_micros(NOW + timedelta(hours=1)), MISSING_TIME])),
        "attributes.premium": BoolColumn(np.array([1, 0, -1, -1], np.int8)),
        "attributes.year": NumberColumn(np.array([np.nan, 2024.0, 1995.0, np.nan])),
        "attributes.größe": StringColumn(np.array([-1, 0, -1, -1], np.int32), ("XL",)),
    },
)


def rows(expression: str, now: datetime = NOW) -> list[int]:
    mask = compile_condition(expression, COLUMNS).mask(COLUMNS, now)
    assert mask.dtype == np.bool_
    assert mask.shape == (COLUMNS.n,)
    return [int(row) for row in np.flatnonzero(mask)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('kind == "article"', [0, 3]),
        ('kind != "article"', [1, 2]),
        ('"article" == kind', [0, 3]),
        ('kind in ["product", "media"]', [1, 2]),
        ("kind in []", []),
        ('language < "f"', [0, 2]),
        ('"f" <= language', [1]),
        ("author == owner", [0]),
        ("author != owner", [2]),
        ("author < owner", []),
        ("author > owner", [2]),
        ("author >= owner", [0, 2]),
        ('author == "Ann"', [0]),
        ("price > 3.5", [1]),
        ("price >= 3.5", [1, 2]),
        ("price in [20, 3.5]", [1, 2]),
        ("price * 2 + 1 == 41.0", [1]),
        ("-price < -10", [1]),
        ("price-1 > 2", [1, 2]),
        ("price / 0 > 1e308", [1, 2]),
        ("attributes.year - 1 >= 2000", [1]),
        ('"news" in categories', [0, 2]),
        ('"absent" in categories', []),
        ("owner in categories", [1]),
        ("size(categories) == 2", [0, 2]),
        ("categories.size() == 0", [3]),
        ("size(categories) / 2 == 1", [0, 2]),
        ('categories.exists(c, c.startsWith("s") || c == "crime")', [0, 2]),
        ('categories.exists(c, !(c in ["sports", "news"]))', [1, 2]),
        ("categories.exists(title, size(title) == 3)", [1]),
        ("tags.exists(t, true)", [1]),
        ("!tags.exists(t, true)", [0, 2, 3]),
        ('title.startsWith("Go")', [0]),
        ('title.endsWith(")")', [2]),
        ('title.contains("日本 🎈")', [1]),
        (r'title.contains("\"Grande\" Ta\u00e7a")', [1]),
        (r"title.contains('\u65e5\U0000672C \U0001f388')", [1]),
        (r'title.contains("\x41\040\"")', [1]),
        (r"""title.contains(r'"Grande"') && !title.contains(r"\")""", [1]),
        (r'title.contains("""A "Grande\u0022""")', [1]),
        ("title == ''", [3]),
        (r'title.matches(r"\(\d{4}\)$")', [2]),
        (r'title.matches("^\\p{L}+!$")', [0]),
        ('title.matches("日.")', [1]),
        ("size(title) == 5", [0]),
        ('size("日本🎈") == 3', [0, 1, 2, 3]),
        ('size(["a", "b"]) == 2', [0, 1, 2, 3]),
        ('published_at > now - duration("48h")', [0]),
        ('published_at >= now - duration("48h")', [0, 1]),
        ('now - published_at <= duration("47h59m60s")', [0, 1]),
        ('published_at + duration("1h") == now', [0]),
        ('duration("1.5h") == duration("1h30m")', [0, 1, 2, 3]),
        ('duration("-90m") + duration("1.5h") == duration("0")', [0, 1, 2, 3]),
        ('published_at < timestamp("2026-01-02T00:00:00Z")', [2]),
        ('published_at == timestamp("2026-01-31T08:00:00+01:00")', [0]),
        ('published_at in [timestamp("2026-01-31T07:00:00Z")]', [0]),
        ("now < valid_to", [2]),
        ("attributes.premium", [0]),
        ("!attributes.premium", [1]),
        ("attributes.premium == false", [1]),
        ("attributes.premium == (price > 5.0)", []),
        ("attributes.premium in [true]", [0]),
        ('attributes["größe"] == "XL"', [1]),
        ('"größe" in attributes', [1]),
        ("has(attributes.year)", [1, 2]),
        ("!has(attributes.year)", [0, 3]),
        ("true", [0, 1, 2, 3]),
        ("false", []),
        ("!!true", [0, 1, 2, 3]),
        ('true // and so on "', [0, 1, 2, 3]),
        ('kind == "article" // news\n  && language == "en"', [0]),
        ('kind == "media" || kind == "article" && language == "en"', [0, 2]),
        ('(kind == "media" || kind == "article") && language == "en"', [0, 2]),
        ('kind == "media" || kind == "product" && false', [2]),
        ("1 + 2 * 3 == 7", [0, 1, 2, 3]),
        ("7 / 2 == 3", [0, 1, 2, 3]),
        ("-7 / 2 == -3", [0, 1, 2, 3]),
        ("7 / 2.0 == 3.5", [0, 1, 2, 3]),
        ("10 - 3 - 2 == 0x5", [0, 1, 2, 3]),
    ],
)
def test_a_condition_holds_for_exactly_these_rows(expression: str, expected: list[int]) -> None:
    assert rows(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("price > 5.0", [1]),
        ("!(price > 5.0)", [2]),
        ("price != 20.0", [2]),
        ("!(price == 20.0)", [2]),
        ("!(price in [20.0])", [2]),
        ("price == null", [0, 3]),
        ("null != price", [1, 2]),
        ("language == null", [3]),
        ("published_at == null", [3]),
        ("attributes.premium != null", [0, 1]),
        ("price > 5.0 || price == null", [0, 1, 3]),
        ('price > 5.0 || kind == "article"', [0, 1, 3]),
        ('!(price > 5.0 && kind == "article")', [1, 2]),
        ('language != "en"', [1]),
        ('!(language == "en")', [1]),
        ('!(language in ["en"])', [1]),
        ('!language.startsWith("e")', [1]),
        ("!(size(language) > 5)", [0, 1, 2]),
        ("!(author == owner)", [2]),
        ("!(author in categories)", [0, 2]),
        ('!(published_at > timestamp("2026-01-31T00:00:00Z"))', [1, 2]),
        ('!(published_at > published_at + duration("1h"))', [0, 1, 2]),
        ("!(size(categories) / size(tags) > 0) || price > 0.0", [1, 2]),
        ('!(published_at + duration("80000000h") > now)', []),
        ('published_at + duration("80000000h") > now', []),
        ("attributes.premium in [] || !(attributes.premium in [])", [0, 1]),
        ("0.0 * (price / 0.0) == 0.0", []),
    ],
)
def test_what_is_unknown_for_want_of_a_value_never_holds(expression: str, expected: list[int]) -> None:
    assert rows(expression) == expected


def test_only_conditions_that_name_now_depend_on_the_moment() -> None:
    fresh = compile_condition('published_at > now - duration("48h")', COLUMNS)
    assert fresh.uses_now
    assert fresh.mask(COLUMNS, NOW).tolist() == [True, False, False, False]
    assert fresh.mask(COLUMNS, NOW - timedelta(hours=1)).tolist() == [True, True, False, False]
    assert not compile_condition('title == "now"', COLUMNS).uses_now
    assert compile_condition("true || now == now", COLUMNS).uses_now


def test_a_variable_may_be_called_now() -> None:
    condition = compile_condition('tags.exists(now, now == "new")', COLUMNS)
    assert not condition.uses_now
    assert condition.mask(COLUMNS, NOW).tolist() == [False, True, False, False]


def test_a_mask_needs_a_moment_with_an_offset() -> None:
    with pytest.raises(InvalidInput, match="offset"):
        compile_condition("true", COLUMNS).mask(COLUMNS, datetime(2026, 1, 31))


def test_a_condition_keeps_its_expression_and_names_what_it_reads() -> None:
    condition = compile_condition("price > 1.0 && has(attributes.year)", COLUMNS)
    assert condition.expression == "price > 1.0 && has(attributes.year)"
    assert dict(condition.fields) == {"price": NumberColumn, "attributes.year": NumberColumn}


def test_a_mask_belongs_to_the_caller() -> None:
    condition = compile_condition("attributes.premium == true && true", COLUMNS)
    mask = condition.mask(COLUMNS, NOW)
    mask[:] = True
    assert condition.mask(COLUMNS, NOW).tolist() == [True, False, False, False]


def test_no_rows_give_an_empty_mask() -> None:
    empty = Columns(
        0,
        {
            "kind": StringColumn(np.zeros(0, np.int32), ()),
            "brand": StringColumn(np.zeros(0, np.int32), ()),
            "tags": StringListColumn(np.zeros(1, np.int64), np.zeros(0, np.int32), ()),
            "price": NumberColumn(np.zeros(0)),
            "published_at": TimeColumn(np.zeros(0, np.int64)),
        },
    )
    for expression in (
        "true",
        'kind == "media"',
        "kind == brand",
        "brand in tags",
        'kind.matches("a")',
        "size(brand) > 1",
        'tags.exists(t, t.contains("a"))',
        "price in [1.0]",
        "now - published_at > duration('1h')",
    ):
        assert compile_condition(expression, empty).mask(empty, NOW).shape == (0,)


def test_a_condition_follows_its_fields_to_another_catalogue() -> None:
    condition = compile_condition('language == "pt"', COLUMNS)
    other = Columns(2, {"language": StringColumn(np.array([0, 1], np.int32), ("pt", "en"))})
    assert condition.mask(other, NOW).tolist() == [True, False]


@pytest.mark.parametrize("by_name", [{}, {"language": NumberColumn(np.zeros(2))}])
def test_a_catalogue_without_the_field_in_its_type_is_refused(by_name: dict[str, NumberColumn]) -> None:
    with pytest.raises(InvalidCondition, match="language is gone or has another one"):
        compile_condition('language == "pt"', COLUMNS).mask(Columns(2, by_name), NOW)


def test_many_or_few_hits_among_many_values_are_gathered_alike() -> None:
    rng = np.random.default_rng(5)
    values = tuple(f"v{i}" for i in range(40))
    codes = rng.integers(-1, 40, 3_000).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 4, 3_000))]).astype(np.int64)
    entries = rng.integers(0, 40, offsets[-1]).astype(np.int32)
    columns = Columns(3_000, {"brand": StringColumn(codes, values), "tags": StringListColumn(offsets, entries, values)})
    for size in (0, 1, 3, 4, 5, 20, 35, 36, 39, 40):
        wanted = set(values[:size])
        listed = "[" + ", ".join(f'"{value}"' for value in sorted(wanted)) + "]"
        held = [code >= 0 and values[code] in wanted for code in codes]
        assert compile_condition(f"brand in {listed}", columns).mask(columns, NOW).tolist() == held
        missing = [code >= 0 and values[code] not in wanted for code in codes]
        assert compile_condition(f"!(brand in {listed})", columns).mask(columns, NOW).tolist() == missing
        lists = [any(values[code] in wanted for code in entries[a:b]) for a, b in pairwise(offsets)]
        assert compile_condition(f"tags.exists(t, t in {listed})", columns).mask(columns, NOW).tolist() == lists


def test_threads_may_compile_at_once() -> None:
    expressions = [f'price > {i}.0 && title.contains("{i}")' for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        compiled = list(pool.map(lambda expression: compile_condition(expression, COLUMNS), expressions))
    assert [condition.expression for condition in compiled] == expressions


def test_the_parser_is_imported_at_the_first_compilation_only_and_pandas_never() -> None:
    program = """
import sys
from datetime import UTC, datetime
import numpy as np
from recommender.columns import Columns, StringColumn
from recommender.conditions import compile_condition
assert "celpy" not in sys.modules and "lark" not in sys.modules
columns = Columns(1, {"title": StringColumn(np.zeros(1, np.int32), ("abc",))})
assert compile_condition('title.matches("b")', columns).mask(columns, datetime.now(UTC)).all()
assert "celpy" in sys.modules
print("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
