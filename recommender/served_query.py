"""The resolved query of a served record as bytes, with the state of the engine that answered, so that the decision can be made again.

Layout of format 3: the format (1 byte), then size and reasons (4 bytes each) and flags, then every part behind its length (4
bytes): the placement's settings as compressed JSON, as they are history, consumed, dismissed, exclude, candidates, kinds,
sources, language, filter, category and what was seen, as JSON who asks, from where, for what (of a trend's counts nothing is kept), and
what
they do not want to see, and the engine's state. Format 2, which is still read, has none of the last three; format 1 is one compressed JSON
document. The seed is the record's own.
"""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64decode
from dataclasses import asdict
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from pyroaring import BitMap

from recommender.composing.audience import NOBODY, Audience
from recommender.feeds import NOTHING_MUTED, Muted, Query, SourceName
from recommender.items import ItemKind
from recommender.people import HISTORY_DTYPE, SEEN_DTYPE
from recommender.placements import Placement
from recommender.trends import NOT_KEPT, Asked, Trend

FORMAT = 3

_HEAD = struct.Struct("<BIIB")
_LENGTHS = {FORMAT: struct.Struct("<14I"), 2: struct.Struct("<11I")}
_STATE = struct.Struct("<qqq")
PLACEMENTS_KEPT = 64
_CANDIDATES, _SOURCES, _SEEDS = 1, 2, 4
"""Flags: candidates are given, sources are given, the seeds are items."""


class MadeWith(NamedTuple):
    """What an answer went by, beside its generation, the changes of the catalogue and its query.

    `at`: the moment that it was made for, µs; 0 where that makes no difference. `counted`, `overlaid`: sequences of the store up to which
    events were counted, and as of which new items were laid over the generation; -1 for neither. `left_out`: keys of sources.
    """

    at: int = 0
    counted: int = -1
    overlaid: int = -1
    left_out: tuple[str, ...] = ()


AS_BUILT = MadeWith()


def encode_query(query: Query, made: MadeWith = AS_BUILT) -> bytes:
    """All of `query`, the placement's settings included, and what the answer was `made` with."""
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
        _asking(query),
        b"".join((_STATE.pack(*made[:3]), ",".join(made.left_out).encode())),
    )
    return b"".join((_HEAD.pack(FORMAT, query.size, query.reasons, flags), _LENGTHS[FORMAT].pack(*map(len, parts)), *parts))


def decode_query(data: bytes) -> Query:
    """The query that `encode_query` was given, now or in a format of before; of a trend no more than what was asked for. Raises ValueError
    for anything else."""
    return decode_served(data)[0]


def decode_served(data: bytes) -> tuple[Query, MadeWith | None]:
    """The query, and what the answer was made with, which formats of before do not tell. Raises ValueError for anything else."""
    lengths = _LENGTHS.get(data[0]) if data else None
    if lengths is None:
        return _decoded_before(data), None
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
    seen, said, state = more or (b"", b"", b"")
    try:
        made = _made(state) if more else None
        placement = Placement.model_validate_json(zlib.decompress(settings))
        asking = json.loads(said) if said else {}
    except (zlib.error, json.JSONDecodeError, struct.error) as error:
        raise ValueError("not a resolved query") from error
    query = Query(
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
        audience=_audience(asking["audience"]) if "audience" in asking else NOBODY,
        region=asking.get("region", ""),
        muted=Muted(*map(tuple, asking["muted"])) if "muted" in asking else NOTHING_MUTED,
        owner=asking.get("owner", ""),
        trend=Trend.unknown(Asked(**asking["trend"]), NOT_KEPT) if "trend" in asking else None,
        text=asking.get("text", ""),
    )
    return query, made


def _made(state: bytes) -> MadeWith:
    at, counted, overlaid = _STATE.unpack_from(state)
    left_out = state[_STATE.size :].decode()
    return MadeWith(at, counted, overlaid, tuple(left_out.split(",")) if left_out else ())


def _asking(query: Query) -> bytes:
    """Who asks, from where, for what trend, and what they do not want to see, as JSON; nothing where nothing is said."""
    said: dict[str, Any] = {"region": query.region, "owner": query.owner, "text": query.text}
    said["muted"] = list(query.muted) if any(query.muted) else None
    if query.audience is not NOBODY:
        said["audience"] = vars(query.audience)
    if query.trend is not None:
        said["trend"] = asdict(query.trend.asked)
    given = {name: value for name, value in said.items() if value}
    return json.dumps(given, separators=(",", ":")).encode() if given else b""


def _audience(given: dict[str, Any]) -> Audience:
    return Audience(**{**given, "segments": tuple(given["segments"])})


_WRITTEN: dict[int, tuple[Placement, bytes]] = {}
"""The settings of the placements that were asked for lately, by where each lies in memory, where it stays for as long as it is here: to
compare all of their values would take longer than all else that is written of a query."""


def _settings(placement: Placement) -> bytes:
    """All settings of a placement. There are few placements, so each is written once."""
    known = _WRITTEN.get(id(placement))
    if known is not None:
        return known[1]
    settings = placement.model_dump(mode="json")
    settings["kinds"] = sorted(kind.name.lower() for kind in placement.kinds)
    written = zlib.compress(json.dumps(settings, separators=(",", ":")).encode())
    if len(_WRITTEN) >= PLACEMENTS_KEPT:
        _WRITTEN.clear()
    _WRITTEN[id(placement)] = placement, written
    return written


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
