"""Masks against a slow evaluation row by row, of random expressions on random items.

The reference follows CEL's definition: a missing value is an error, && and || absorb errors where the other side decides, and
an expression that ends in an error does not hold. Where nothing is missing, cel-python's own evaluator must agree as well.
"""

from __future__ import annotations

import math
import operator
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import celpy
import numpy as np
from celpy import celtypes
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recommender.columns import BoolColumn, Column, Columns, NumberColumn, StringColumn, StringListColumn, TimeColumn
from recommender.conditions import compile_condition
from recommender.errors import InvalidCondition
from recommender.times import MISSING_TIME, to_micros

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)
WORDS = ("a", "b", "ab", "Ba", "ñ", "日本", "🎈", "")
NUMBERS = (0.0, 1.0, 2.0, -1.5, 2.5, 1e300)
TIMES = (NOW, NOW - timedelta(hours=1), NOW + timedelta(days=2), datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC))
TEXTS = ("language", "author", "brand")
LISTS = ("categories", "tags")
DOUBLES = ("price", "attributes.year")
FLAGS = ("attributes.premium", "attributes.sale")
MOMENTS = ("published_at", "valid_to")

Row = dict[str, Any]


class Unknown(Exception):
    """CEL's error."""


@dataclass(frozen=True)
class Part:
    """A piece of an expression: how it is written, and what it is worth in a row (raises `Unknown`)."""

    text: str
    value: Callable[[Row], Any]


def field(name: str) -> Part:
    def value(row: Row) -> Any:
        if row[name] is None:
            raise Unknown
        return row[name]

    return Part(name, value)


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08x}" if ord(character) > 127 else character for character in text) + '"'


def literal(value: Any) -> Part:
    if isinstance(value, str):
        return Part(quoted(value), lambda row: value)
    if isinstance(value, datetime):
        return Part(f'timestamp("{value.year:04d}-{value:%m-%dT%H:%M:%S}Z")', lambda row: value)
    if isinstance(value, timedelta):
        return Part(f'duration("{int(value.total_seconds())}s")', lambda row: value)
    if isinstance(value, bool):
        return Part("true" if value else "false", lambda row: value)
    return Part(repr(value), lambda row: value)


def of(row: Row, *parts: Part) -> list[Any]:
    return [part.value(row) for part in parts]


COMPARE = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def compared(sign: str, left: Part, right: Part) -> Part:
    return Part(f"({left.text} {sign} {right.text})", lambda row: COMPARE[sign](*of(row, left, right)))


def computed(sign: str, left: Part, right: Part) -> Part:
    def value(row: Row) -> Any:
        a, b = of(row, left, right)
        if isinstance(a, int) and isinstance(b, int):
            if sign == "/":
                if b == 0:
                    raise Unknown
                result: Any = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            else:
                result = {"+": a + b, "-": a - b, "*": a * b}[sign]
            if abs(result) >= 2**53:
                raise Unknown
            return result
        with np.errstate(all="ignore"):
            quotient = float(np.float64(a) / np.float64(b))
            result = {"+": float(a) + b, "-": float(a) - b, "*": float(a) * b, "/": quotient}[sign]
        if math.isnan(result):
            raise Unknown
        return result

    return Part(f"({left.text} {sign} {right.text})", value)


def shifted(sign: str, left: Part, right: Part) -> Part:
    def value(row: Row) -> Any:
        a, b = of(row, left, right)
        try:
            result = a + b if sign == "+" else a - b
        except OverflowError:
            raise Unknown from None
        if isinstance(result, timedelta) and abs(result) > timedelta(seconds=315_576_000_000):
            raise Unknown
        return result

    return Part(f"({left.text} {sign} {right.text})", value)


def negated(part: Part) -> Part:
    return Part(f"!{part.text}", lambda row: not part.value(row))


def chained(sign: str, parts: list[Part]) -> Part:
    deciding = sign == "||"

    def value(row: Row) -> bool:
        unknown = False
        for part in parts:
            try:
                if part.value(row) == deciding:
                    return deciding
            except Unknown:
                unknown = True
        if unknown:
            raise Unknown
        return not deciding

    return Part("(" + f" {sign} ".join(part.text for part in parts) + ")", value)


METHODS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": operator.contains,
    "matches": operator.contains,
}


def asked(method: str, subject: Part, argument: str) -> Part:
    return Part(f"{subject.text}.{method}({quoted(argument)})", lambda row: METHODS[method](subject.value(row), argument))


def sized(part: Part) -> Part:
    return Part(f"size({part.text})", lambda row: len(part.value(row)))


def among(part: Part, values: list[Any]) -> Part:
    listed = ", ".join(literal(value).text for value in values)
    return Part(f"({part.text} in [{listed}])", lambda row: part.value(row) in values)


def within(part: Part, name: str) -> Part:
    return Part(f"({part.text} in {name})", lambda row: part.value(row) in row[name])


def existing(name: str, predicate: Part) -> Part:
    def value(row: Row) -> bool:
        return bool(chained("||", [Part("", lambda _, entry=entry: predicate.value({"x": entry})) for entry in row[name]]).value(row))

    return Part(f"{name}.exists(x, {predicate.text})", value)


def present(name: str, sign: str) -> Part:
    return Part(f"({name} {sign} null)", lambda row: (row[name] is None) == (sign == "=="))


def having(name: str) -> Part:
    return Part(f"has({name})", lambda row: row[name] is not None)


words = st.sampled_from(WORDS)
signs = st.sampled_from(list(COMPARE))
variable = Part("x", lambda row: row["x"])
text_fields = st.sampled_from(TEXTS).map(field)
texts = text_fields | words.map(literal)
whole_leaves = st.integers(-3, 3).map(literal) | st.one_of(text_fields, st.sampled_from(LISTS).map(field)).map(sized)
double_leaves = st.sampled_from(NUMBERS).map(literal) | st.sampled_from(DOUBLES).map(field)
arithmetic = st.sampled_from("+-*/")


def numbers(leaves: st.SearchStrategy[Part], sign: st.SearchStrategy[str]) -> st.SearchStrategy[Part]:
    return st.recursive(leaves, lambda inner: st.builds(computed, sign, inner, inner), max_leaves=4)


now = Part("now", lambda row: NOW)
lengths_leaves = st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=-3), timedelta(days=3_000_000)]).map(literal)
time_leaves = st.sampled_from(TIMES).map(literal) | st.sampled_from(MOMENTS).map(field) | st.just(now)
plus_or_minus = st.sampled_from("+-")
lengths = st.one_of(
    lengths_leaves,
    st.builds(shifted, st.just("-"), time_leaves, time_leaves),
    st.builds(shifted, plus_or_minus, lengths_leaves, lengths_leaves),
)
times = st.one_of(
    time_leaves,
    st.builds(shifted, plus_or_minus, time_leaves, lengths),
    st.builds(shifted, st.just("+"), lengths, time_leaves),
)


def conditions(leaves: list[st.SearchStrategy[Part]], max_leaves: int) -> st.SearchStrategy[Part]:
    return st.recursive(
        st.one_of(leaves),
        lambda inner: (
            inner.map(negated)
            | st.builds(chained, st.sampled_from(["&&", "||"]), st.lists(inner, min_size=2, max_size=3))
            | st.builds(compared, st.sampled_from(["==", "!="]), inner, inner)
        ),
        max_leaves=max_leaves,
    )


of_variable = conditions(
    [
        st.booleans().map(literal),
        st.builds(compared, signs, st.just(variable), words.map(literal)),
        st.builds(among, st.just(variable), st.lists(words, max_size=3)),
        st.builds(asked, st.sampled_from(list(METHODS)), st.just(variable), words),
        st.builds(compared, signs, st.just(sized(variable)), st.integers(0, 3).map(literal)),
    ],
    3,
)
plain_leaves = [
    st.booleans().map(literal),
    st.sampled_from(FLAGS).map(field),
    st.builds(compared, signs, texts, texts),
    st.builds(asked, st.sampled_from(list(METHODS)), texts, words),
    st.builds(among, texts, st.lists(words, max_size=6)),
    st.builds(within, texts, st.sampled_from(LISTS)),
    st.builds(existing, st.sampled_from(LISTS), of_variable),
    st.sampled_from([*FLAGS, "attributes.year"]).map(having),
]
any_numbers = numbers(whole_leaves | double_leaves, arithmetic)
random_conditions = conditions(
    [
        *plain_leaves,
        st.builds(compared, signs, any_numbers, any_numbers),
        st.builds(among, any_numbers, st.lists(st.sampled_from(NUMBERS) | st.integers(-2, 2), max_size=3)),
        st.builds(compared, signs, times, times),
        st.builds(compared, signs, lengths, lengths),
        st.builds(among, times, st.lists(st.sampled_from(TIMES), max_size=3)),
        st.builds(among, st.sampled_from(FLAGS).map(field), st.lists(st.booleans(), max_size=2)),
        st.builds(present, st.sampled_from([*TEXTS, *DOUBLES, *FLAGS, *MOMENTS]), st.sampled_from(["==", "!="])),
    ],
    6,
)


def random_rows(seed: int, count: int, *, missing: float, numbers: Sequence[float], times: Sequence[datetime]) -> list[Row]:
    rng = random.Random(seed)

    def one(values: Sequence[Any]) -> Any:
        return None if rng.random() < missing else rng.choice(values)

    return [
        {
            **{name: one(WORDS) for name in TEXTS},
            **{name: rng.sample(WORDS, rng.choice((0, 0, 1, 2, 3))) for name in LISTS},
            **{name: one(numbers) for name in DOUBLES},
            **{name: one((False, True)) for name in FLAGS},
            **{name: one(times) for name in MOMENTS},
        }
        for _ in range(count)
    ]


seeds = st.integers(0, 2**32)


def columns_of(rows: list[Row]) -> Columns:
    by_name: dict[str, Column] = {}
    for name in TEXTS:
        values = tuple(dict.fromkeys(row[name] for row in rows if row[name] is not None))
        by_name[name] = StringColumn(np.array([-1 if row[name] is None else values.index(row[name]) for row in rows], np.int32), values)
    for name in LISTS:
        offsets = np.cumsum([0, *(len(row[name]) for row in rows)]).astype(np.int64)
        codes = np.array([WORDS.index(entry) for row in rows for entry in row[name]], np.int32)
        by_name[name] = StringListColumn(offsets, codes, WORDS)
    for name in DOUBLES:
        by_name[name] = NumberColumn(np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64))
    for name in FLAGS:
        by_name[name] = BoolColumn(np.array([-1 if row[name] is None else row[name] for row in rows], np.int8))
    for name in MOMENTS:
        by_name[name] = TimeColumn(np.array([MISSING_TIME if row[name] is None else to_micros(row[name]) for row in rows], np.int64))
    return Columns(len(rows), by_name)


def holds(condition: Part, row: Row) -> bool:
    try:
        return bool(condition.value(row))
    except Unknown:
        return False


def mask_of(condition: Part, rows: list[Row]) -> list[bool]:
    columns = columns_of(rows)
    try:
        compiled = compile_condition(condition.text, columns)
    except InvalidCondition as error:
        # Constants without a result are refused beforehand, where the reference finds out row by row.
        assume("a result" not in error.allowed)
        raise
    return [bool(value) for value in compiled.mask(columns, NOW)]


@settings(max_examples=300, deadline=None)
@given(random_conditions, seeds, st.sampled_from([0, 1, 40]))
def test_a_mask_is_what_row_by_row_evaluation_gives(condition: Part, seed: int, count: int) -> None:
    rows = random_rows(seed, count, missing=0.3, numbers=NUMBERS, times=TIMES)
    assert mask_of(condition, rows) == [holds(condition, row) for row in rows]


strict_lengths = st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=-3)]).map(literal)
strict_moments = st.sampled_from(TIMES[:3]).map(literal) | st.just(now) | st.sampled_from(MOMENTS).map(field)
without_division = st.sampled_from("+-*")
small_numbers = st.sampled_from(NUMBERS[:-1])
strict_doubles = numbers(small_numbers.map(literal) | st.sampled_from(DOUBLES).map(field), without_division)
strict_wholes = numbers(whole_leaves, arithmetic)
strict_conditions = conditions(
    [
        *plain_leaves,
        st.builds(compared, signs, strict_doubles, strict_doubles),
        st.builds(compared, signs, strict_wholes, strict_wholes),
        st.builds(compared, signs, st.builds(shifted, plus_or_minus, strict_moments, strict_lengths), strict_moments),
        st.builds(compared, signs, st.builds(shifted, st.just("-"), strict_moments, strict_moments), strict_lengths),
    ],
    4,
)


def cel_row(row: Row) -> dict[str, Any]:
    activation: dict[str, Any] = {name: celtypes.StringType(row[name]) for name in TEXTS}
    activation |= {name: celtypes.ListType([celtypes.StringType(entry) for entry in row[name]]) for name in LISTS}
    activation |= {name: celtypes.TimestampType(row[name]) for name in MOMENTS}
    activation["price"] = celtypes.DoubleType(row["price"])
    activation["now"] = celtypes.TimestampType(NOW)
    attributes: dict[Any, Any] = {celtypes.StringType("year"): celtypes.DoubleType(row["attributes.year"])}
    attributes |= {celtypes.StringType(name.split(".")[1]): celtypes.BoolType(row[name]) for name in FLAGS}
    activation["attributes"] = celtypes.MapType(attributes)
    return activation


@settings(max_examples=80, deadline=None)
@given(strict_conditions, seeds)
def test_a_mask_is_what_cel_python_evaluates_where_nothing_is_missing(condition: Part, seed: int) -> None:
    rows = random_rows(seed, 6, missing=0.0, numbers=NUMBERS[:-1], times=TIMES[:3])
    limit = sys.getrecursionlimit()
    environment = celpy.Environment()
    # cel-python raises the limit of the whole process, and hypothesis notices.
    sys.setrecursionlimit(limit)
    program = environment.program(environment.compile(condition.text))
    expected = []
    for row in rows:
        try:
            expected.append(bool(program.evaluate(cel_row(row))))
        except celpy.CELEvalError:
            expected.append(False)
    assert mask_of(condition, rows) == expected
