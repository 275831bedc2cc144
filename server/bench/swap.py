"""A generation that takes the place of another one while calls come in: what they notice of it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recommender.durable_files import sync, write_durably
from recommender.generation import Generations
from recommender.generation.folder import CURRENT
from recommender.generation.manifest import MANIFEST
from server.bench.driver import Outcomes

SLOW = 2.0
"""A feed that takes more than so many times the usual p99 is slow."""
SLOW_FEEDS = "over twice the usual p99"


def twin_of(generations: Path, generation_id: str) -> str:
    """Copy a generation below `generations` under a new id, as if it had just been built and checked, and return the id."""
    twin = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{generation_id.rsplit('-', 1)[1]}"
    shutil.copytree(generations / generation_id, generations / twin)
    manifest = generations / twin / MANIFEST
    record = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(record | {"id": twin, "parent": generation_id}), encoding="utf-8")
    # As after a build. Otherwise the kernel would write it all half a minute later, which is when it is to take over.
    for file in (generations / twin).rglob("*"):
        sync(file)
    Generations(generations).verify(twin)
    return twin


def publish(generations: Path, generation_id: str) -> None:
    """The last step of an activation, after its files have been checked."""
    write_durably(generations / CURRENT, generation_id + "\n")


def feeds_row(feeds: Outcomes, usual_p99_s: float) -> dict[str, Any]:
    """Feeds by how they did; slow ones are those that took more than `SLOW` times the usual."""
    answered = feeds.latency[feeds.good]
    p50, _, p99, _ = feeds.percentiles()
    return {
        "feeds": len(feeds.code),
        "failed": int((~feeds.good).sum()),
        SLOW_FEEDS: int((answered > SLOW * usual_p99_s).sum()),
        "p50 ms": p50,
        "p99 ms": p99,
        "slowest ms": float(answered.max(initial=0)) * 1e3,
    }


def seconds_to(feeds: Outcomes, generation_id: str, since: float) -> float:
    """Seconds from `since`, a `time.monotonic()` value, to the first feed of a generation; NaN where none came."""
    new = feeds.ended[feeds.generation == generation_id]
    return float(new.min() - since) if len(new) else float("nan")
