"""Whole columns as events: what ordinary rows of a typed file say, told for all of them at once.

A row is ordinary where its values are of the usual types, within bounds, and none of them is rare. Of every other row nothing is
said here; it is read by `rows_to_events`, which also says what is wrong. So both must agree on ordinary rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from indexing.importing.rows_to_events import consent_of_text, id_of_parts, type_named
from recommender.errors import InvalidInput
from recommender.events import VALUE_LIMIT, WITH_PORTION, EventType, SubjectKind
from recommender.items import ID_LIMIT
from recommender.store import NOTHING_SAID, EventRow
from recommender.times import MISSING_TIME, to_micros

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]

_USUAL = ("id", "type", "user_id", "session_id", "item_id", "at", "value", "portion", "dwell_s", "consent")
_CONTROLS = "[\x00-\x1f\x7f]"
_MICROS_OF = {"s": 1_000_000, "ms": 1_000, "us": 1}
_EARLIEST = to_micros(datetime.min.replace(tzinfo=UTC))
_LATEST = to_micros(datetime.max.replace(tzinfo=UTC))
_UNTOLD = -2
"""Stands for a type or a consent that only the way of all rows can tell."""


def ordinary_events(batch: pa.RecordBatch, sources: Mapping[str, str], constants: Mapping[str, object]) -> list[EventRow | None]:
    """The events of the ordinary rows of `batch`, None for all others.

    `sources`: which column of the batch each of ours is; `constants`: what holds for every row.
    """
    n = len(batch)
    try:
        columns = {ours: batch.column(theirs) for ours, theirs in sources.items()}
        columns |= {ours: pa.array([value]).take(pa.array(np.zeros(n, dtype=np.int64))) for ours, value in constants.items()}
        return _events(columns, n)
    except (pa.ArrowException, _Unusual):
        return [None] * n


class _Unusual(Exception):
    """A column has a type that is not looked at here."""


def _events(columns: Mapping[str, pa.Array], n: int) -> list[EventRow | None]:
    ordinary = np.ones(n, dtype=bool)
    for ours, column in columns.items():
        if ours not in _USUAL:
            ordinary &= _missing(column)
    texts = {ours: _text(columns[ours]) if ours in columns else _nothing(n) for ours in ("id", "user_id", "session_id", "item_id")}
    types = _coded(columns.get("type"), n, _type_code, missing=_UNTOLD)
    consents = _coded(columns.get("consent"), n, _consent_code, missing=NOTHING_SAID)
    at = _micros(columns["at"]) if "at" in columns else np.full(n, MISSING_TIME)
    numbers = {ours: _number(columns[ours]) if ours in columns else np.full(n, np.nan) for ours in ("value", "portion", "dwell_s")}
    is_user = ~_missing(texts["user_id"])
    subjects = pc.if_else(pa.array(is_user), texts["user_id"], texts["session_id"])
    ids = texts["id"]
    ordinary &= _is_id(subjects) & _is_id(texts["item_id"]) & (_missing(ids) | _is_id(ids))
    ordinary &= (types != _UNTOLD) & (types != EventType.CUSTOM) & (consents != _UNTOLD)
    ordinary &= (at >= _EARLIEST) & (at <= _LATEST)
    ordinary &= _within(numbers, np.isin(types, list(WITH_PORTION)))
    chosen = np.flatnonzero(ordinary)
    rows = _rows(chosen, ids, is_user, subjects, texts["item_id"], types, at, numbers, consents)
    if len(chosen) == n:
        return list(rows)
    events: list[EventRow | None] = [None] * n
    for place, row in zip(chosen.tolist(), rows, strict=True):
        events[place] = row
    return events


def _rows(
    chosen: npt.NDArray[np.int64],
    ids: pa.Array,
    is_user: Mask,
    subjects: pa.Array,
    items: pa.Array,
    types: npt.NDArray[np.int64],
    at: npt.NDArray[np.int64],
    numbers: Mapping[str, Numbers],
    consents: npt.NDArray[np.int64],
) -> Iterable[EventRow]:
    def listed(column: npt.NDArray[np.generic]) -> list[Any]:
        values: list[Any] = column[chosen].tolist()
        return values

    kinds = listed(np.where(is_user, int(SubjectKind.USER), int(SubjectKind.SESSION)))
    subject, item, kind, moment = subjects.take(chosen).to_pylist(), items.take(chosen).to_pylist(), listed(types), listed(at)
    named = ids.take(chosen).to_pylist()
    named = [given or id_of_parts(*parts) for given, *parts in zip(named, kinds, subject, item, kind, moment, strict=True)]
    amounts = (listed(numbers[name]) for name in ("value", "portion", "dwell_s"))
    return map(EventRow, named, kinds, subject, item, kind, moment, *amounts, listed(consents))


def _nothing(n: int) -> pa.Array:
    return pa.nulls(n, pa.string())


def _missing(column: pa.Array) -> Mask:
    """Where a column says nothing: null, "" or NaN."""
    missing = pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        missing = pc.or_(missing, pc.fill_null(pc.equal(column, ""), True))
    return np.asarray(missing.to_numpy(zero_copy_only=False), dtype=bool)


def _text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise _Unusual
    text = column.cast(pa.string())
    # Files need not hold the UTF-8 that they promise.
    text.validate(full=True)
    return text


def _is_id(texts: pa.Array) -> Mask:
    length = pc.utf8_length(texts)
    sound = pc.and_(pc.less_equal(length, ID_LIMIT), pc.invert(pc.match_substring_regex(texts, _CONTROLS)))
    sound = pc.fill_null(pc.and_(sound, pc.greater(length, 0)), False)
    return np.asarray(sound.to_numpy(zero_copy_only=False), dtype=bool)


def _coded(column: pa.Array | None, n: int, code: Callable[[str], int], *, missing: int) -> npt.NDArray[np.int64]:
    """The `code` of each text of a column of few different ones."""
    if column is None:
        return np.full(n, missing, dtype=np.int64)
    encoded = _text(column).dictionary_encode()
    codes = np.array([*(missing if not text else code(text) for text in encoded.dictionary.to_pylist()), missing], dtype=np.int64)
    places = pc.fill_null(encoded.indices, len(codes) - 1)
    told: npt.NDArray[np.int64] = codes[places.to_numpy(zero_copy_only=False)]
    return told


def _type_code(text: str) -> int:
    kind = type_named(text)
    return _UNTOLD if kind is None else int(kind)


def _consent_code(text: str) -> int:
    try:
        return int(consent_of_text(text))
    except InvalidInput:
        return _UNTOLD


def _micros(column: pa.Array) -> npt.NDArray[np.int64]:
    """Microseconds since 1970, `MISSING_TIME` where there is no time or one that 64 bits of microseconds do not hold."""
    if not pa.types.is_timestamp(column.type):
        raise _Unusual
    ticks = np.asarray(pc.fill_null(column.cast(pa.int64()), MISSING_TIME).to_numpy(zero_copy_only=False), dtype=np.int64)
    unit = column.type.unit
    if unit == "ns":
        return np.where(ticks == MISSING_TIME, MISSING_TIME, ticks // 1_000)
    times = _MICROS_OF[unit]
    held = (ticks >= _EARLIEST // times) & (ticks <= _LATEST // times)
    return np.where(held, np.where(held, ticks, 0) * times, MISSING_TIME)


def _number(column: pa.Array) -> Numbers:
    """float64, NaN where there is none."""
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise _Unusual
    return np.asarray(pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False), dtype=np.float64)


def _within(numbers: Mapping[str, Numbers], with_portion: Mask) -> Mask:
    """Where the numbers of an event are allowed."""
    value, portion, dwell = numbers["value"], numbers["portion"], numbers["dwell_s"]
    nothing = np.isnan(portion) & np.isnan(dwell)
    bounded = (np.isnan(portion) | ((portion >= 0) & (portion <= 1))) & (np.isnan(dwell) | ((dwell >= 0) & (dwell < np.inf)))
    return (np.isnan(value) | (np.abs(value) <= VALUE_LIMIT)) & (nothing | (bounded & with_portion))
