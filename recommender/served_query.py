"""The resolved query of a served record as bytes, so that the decision can be made again from it.

Layout of format 4: the format (1 byte), then size and reasons (4 bytes each) and flags, then every part behind its length (4
bytes): the placement's settings as compressed JSON, as they are history, consumed, dismissed, exclude, candidates, kinds,
sources, language, filter, category and what was seen, who asks as JSON, and what was searched for. Formats 3 and 2 are still read: the
former lacks the last one of these, the latter the last three. Format 1 is one compressed JSON document. The seed is the record's own.
"""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64decode
from dataclasses import asdict
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
from pyroaring import BitMap

from recommender.composing.audience import NOBODY, Audience
from recommender.feeds import Query, SourceName
from recommender.items import ItemKind
from recommender.people import HISTORY_DTYPE, SEEN_DTYPE
from recommender.placements import Placement

FORMAT = 4

_HEAD = struct.Struct("<BIIB")
_LENGTHS = {FORMAT: struct.Struct("<14I"), 3: struct.Struct("<13I"), 2: struct.Struct("<11I")}
_CANDIDATES, _SOURCES, _SEEDS = 1, 2, 4
"""Flags: candidates are given, sources are given, the seeds are items."""


def encode_query(query: Query) -> bytes:
    """All of `query`, the placement's settings included."""
    flags = (
        (_CANDIDATES if query.candidates is not None else 0)
        | (_SOURCES if query.sources is not None else 0)
        | (_SEEDS if query.seeds_are_items else 0)
    )
    parts = (
        _settings(query.placement),
        query.history.tobytes(),
        query.consumed.serialize(),
        query.dismissed.serialize(),
        np.array(query.exclude, dtype="<u4").tobytes() if query.exclude else b"",
        b"" if query.candidates is None else query.candidates.astype("<u4").tobytes(),
        bytes(sorted(query.kinds)),
        bytes(sorted(query.sources or ())),
        query.language.encode(),
        query.filter.encode(),
        query.category.encode(),
        # Some kilobytes, which matter to few placements.
        query.seen.tobytes() if query.placement.impressions.discount else b"",
        b"" if query.audience is NOBODY else json.dumps(asdict(query.audience), separators=(",", ":")).encode(),
        query.text.encode(),
    )
    return b"".join((_HEAD.pack(FORMAT, query.size, query.reasons, flags), _LENGTHS[FORMAT].pack(*map(len, parts)), *parts))


def decode_query(data: bytes) -> Query:
    """The query that `encode_query` was given, now or in a format of before. Raises ValueError for anything else."""
    lengths = _LENGTHS.get(data[0]) if data else None
    if lengths is None:
        return _decoded_before(data)
    start = _HEAD.size + lengths.size
    if len(data) < start:
        raise ValueError("not a resolved query")
    _, size, reasons, flags = _HEAD.unpack_from(data)
    ends = list(accumulate(lengths.unpack_from(data, _HEAD.size), initial=start))
    if ends[-1] != len(data):
        raise ValueError("not a resolved query")
    settings, history, consumed, dismissed, exclude, candidates, kinds, sources, language, condition, category, *more = (
        data[begin:end] for begin, end in pairwise(ends)
    )
    seen, audience, text = (*more, b"", b"", b"")[:3]
    try:
        placement = Placement.model_validate_json(zlib.decompress(settings))
        asking = json.loads(audience) if audience else {}
    except (zlib.error, json.JSONDecodeError) as error:
        raise ValueError("not a resolved query") from error
    return Query(
        placement=placement,
        size=size,
        history=np.frombuffer(history, dtype=HISTORY_DTYPE),
        consumed=BitMap.deserialize(consumed),
        dismissed=BitMap.deserialize(dismissed),
        exclude=tuple(np.frombuffer(exclude, dtype="<u4").tolist()),
        candidates=np.frombuffer(candidates, dtype="<u4") if flags & _CANDIDATES else None,
        kinds=frozenset(map(ItemKind, kinds)),
        language=language.decode(),
        filter=condition.decode(),
        category=category.decode(),
        sources=frozenset(map(SourceName, sources)) if flags & _SOURCES else None,
        reasons=reasons,
        seeds_are_items=bool(flags & _SEEDS),
        seen=np.frombuffer(seen, dtype=SEEN_DTYPE),
        audience=Audience(**{**asking, "segments": tuple(asking["segments"])}) if asking else NOBODY,
        text=text.decode(),
    )


@lru_cache(maxsize=64)
def _settings(placement: Placement) -> bytes:
    """All settings of a placement. There are few placements, so each is written once."""
    settings = placement.model_dump(mode="json")
    settings["kinds"] = sorted(kind.name.lower() for kind in placement.kinds)
    return zlib.compress(json.dumps(settings, separators=(",", ":")).encode())


def _decoded_before(data: bytes) -> Query:
    try:
        record = json.loads(zlib.decompress(data))
    except (zlib.error, json.JSONDecodeError) as error:
        raise ValueError("not a resolved query") from error
    if record["format"] != 1:
        raise ValueError(f"resolved query of format {record['format']}; this program reads 1 to {FORMAT}")
    return Query(
        placement=Placement.model_validate(record["placement"]),
        size=record["size"],
        history=np.frombuffer(b64decode(record["history"]), dtype=HISTORY_DTYPE),
        consumed=BitMap.deserialize(b64decode(record["consumed"])),
        dismissed=BitMap.deserialize(b64decode(record["dismissed"])),
        exclude=tuple(record["exclude"]),
        candidates=None if record["candidates"] is None else np.array(record["candidates"], dtype=np.uint32),
        kinds=frozenset(ItemKind(kind) for kind in record["kinds"]),
        language=record["language"],
        filter=record["filter"],
        category=record["category"],
        sources=None if record["sources"] is None else frozenset(SourceName(source) for source in record["sources"]),
        reasons=record["reasons"],
        seeds_are_items=record["seeds_are_items"],
    )
