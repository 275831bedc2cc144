"""The resolved query of a served record as bytes, so that the decision can be made again from it."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from typing import Any

import numpy as np
from pyroaring import BitMap

from recommender.feeds import Query, SourceName
from recommender.items import ItemKind
from recommender.people import HISTORY_DTYPE
from recommender.placements import Placement

FORMAT = 1


def encode_query(query: Query) -> bytes:
    """All of `query`, the placement's settings included."""
    placement = query.placement.model_dump(mode="json")
    placement["kinds"] = sorted(kind.name.lower() for kind in query.placement.kinds)
    record: dict[str, Any] = {
        "format": FORMAT,
        "placement": placement,
        "size": query.size,
        "history": _text(query.history.tobytes()),
        "consumed": _text(query.consumed.serialize()),
        "dismissed": _text(query.dismissed.serialize()),
        "exclude": query.exclude,
        "candidates": None if query.candidates is None else query.candidates.tolist(),
        "kinds": sorted(query.kinds),
        "language": query.language,
        "filter": query.filter,
        "category": query.category,
        "sources": None if query.sources is None else sorted(query.sources),
        "reasons": query.reasons,
        "seeds_are_items": query.seeds_are_items,
    }
    return zlib.compress(json.dumps(record, separators=(",", ":")).encode(), level=1)


def decode_query(data: bytes) -> Query:
    """The query that `encode_query` was given. Raises ValueError for anything else."""
    try:
        record = json.loads(zlib.decompress(data))
    except (zlib.error, json.JSONDecodeError) as error:
        raise ValueError("not a resolved query") from error
    if record["format"] != FORMAT:
        raise ValueError(f"resolved query of format {record['format']}; this program reads {FORMAT}")
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


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
