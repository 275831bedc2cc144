"""From one value of a file to one value of the domain; every failure is an `InvalidInput` that names the column.

All functions read the column `name` of `values`, which holds no empty values: what is missing was empty or not there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from indexing.importing.lines import text_problem
from recommender.errors import InvalidInput
from recommender.items import AttributeValue
from recommender.times import parse_time

Values = Mapping[str, object]

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


def is_missing(value: object) -> bool:
    """Whether `value` stands for nothing: None, "" or NaN (which data frames write for nothing)."""
    return value is None or (isinstance(value, str) and not value) or (isinstance(value, float) and math.isnan(value))


def typed_text(text: str) -> AttributeValue:
    """An attribute from text alone: true and false are flags, numbers as JSON writes them are numbers, all else stays text."""
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if _NUMBER.fullmatch(lowered) and math.isfinite(float(lowered)):
        return float(lowered)
    return text


def text(values: Values, name: str) -> str:
    """Text as it stands, a whole number as its digits, "" when missing."""
    return _text(values[name], name) if name in values else ""


def needed_text(values: Values, name: str) -> str:
    """Like `text`, but it must be there."""
    if name not in values:
        raise InvalidInput(name, None, "a value in every row")
    return _text(values[name], name)


def number(values: Values, name: str) -> float | None:
    """A finite number, also one written as text; None when missing."""
    return _number(values[name], name) if name in values else None


def flag(values: Values, name: str) -> bool | None:
    """true or false, also written as text or as 1 and 0; None when missing."""
    if name not in values:
        return None
    value = values[name]
    if isinstance(value, bool):
        return value
    known = _FLAGS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if known is None:
        raise InvalidInput(name, value, "true, false, 1 or 0")
    return known


def moment(values: Values, name: str) -> datetime | None:
    """A time from text or seconds since 1970 (`parse_time`) or from a typed column; without offset it is UTC; None when missing."""
    if name not in values:
        return None
    value = values[name]
    allowed = "ISO 8601 (2026-01-31T08:00:00Z) or seconds since 1970, between the years 1 and 9999"
    try:
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return parse_time(value, name)
    except OverflowError as error:
        raise InvalidInput(name, value, allowed) from error
    raise InvalidInput(name, value, allowed)


def labels(values: Values, name: str) -> tuple[str, ...]:
    """A list of texts, or one text that holds them separated by |; () when missing."""
    if name not in values:
        return ()
    value = values[name]
    if isinstance(value, str):
        parts: list[object] = list(value.split("|"))
    elif isinstance(value, list | tuple):
        parts = [part for part in value if not is_missing(part)]
    else:
        raise InvalidInput(name, value, "a list of labels, or labels separated by |")
    stripped = (_text(part, name).strip() for part in parts)
    return tuple(label for label in stripped if label)


def vector(values: Values, name: str) -> npt.NDArray[np.float32] | None:
    """A list of numbers, also as JSON text, as float32 of shape (d,); None when missing."""
    if name not in values:
        return None
    value = _from_json(values[name], name, "a list of numbers")
    allowed = "a list of finite numbers that float32 can hold, not all zero"
    if isinstance(value, list) and any(isinstance(part, bool) or not isinstance(part, int | float) for part in value):
        raise InvalidInput(name, value, allowed)
    if not isinstance(value, list | np.ndarray):
        raise InvalidInput(name, value, allowed)
    try:
        with np.errstate(over="ignore"):
            return np.array(value, dtype=np.float32)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(name, value, allowed) from error


def fields(values: Values, name: str) -> dict[str, object]:
    """An object: the column `name` (also as JSON text, or as a list of pairs) together with the columns `name.<key>`, which go first."""
    prefix = f"{name}."
    own = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    given = _from_json(values[name], name, "an object") if name in values else {}
    if isinstance(given, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in given):
        given = dict(given)
    if not isinstance(given, Mapping):
        raise InvalidInput(name, given, "an object with names and values")
    merged = {str(key): value for key, value in given.items() if not is_missing(value)}
    merged.update(own)
    for key in merged:
        _sound(key, name)
    return merged


def attribute(value: object, name: str) -> AttributeValue:
    """One typed attribute: text, a finite number, or true/false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _sound(value, name)
    if isinstance(value, int | float | Decimal):
        return _number(value, name)
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise InvalidInput(name, value, "text, a finite number, or true/false")


def _text(value: object, name: str) -> str:
    if isinstance(value, str):
        return _sound(value, name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidInput(name, value, "text or a whole number")


def _sound(value: str, name: str) -> str:
    problem = text_problem(value)
    if problem:
        raise InvalidInput(name, value, f"text without NUL characters and lone surrogates (it {problem})")
    return value


def _number(value: object, name: str) -> float:
    allowed = "a finite number"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise InvalidInput(name, value, allowed)
    if isinstance(value, str) and "_" in value:
        raise InvalidInput(name, value, allowed)
    try:
        amount = float(value)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(name, value, allowed) from error
    if not math.isfinite(amount):
        raise InvalidInput(name, value, allowed)
    return amount


def _from_json(value: object, name: str, allowed: str) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(name, value, f"{allowed}, or JSON text of one") from error
