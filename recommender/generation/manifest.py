"""The manifest: what a generation is, what it was made from, and what every file of it must look like."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from recommender.durable_files import FileEntry
from recommender.errors import CorruptGeneration, RefusedGeneration

FORMAT_VERSION = 12
MANIFEST = "manifest.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metric(_Record):
    """One figure of the judgement: the mean over people and its 95 % bootstrap interval."""

    name: str
    mean: float
    low: float
    high: float


class GateCheck(_Record):
    """One check of the gate, with what was found."""

    name: str
    passed: bool
    message: str


class Manifest(_Record):
    """Everything about one generation but its arrays.

    `watermark` is the change sequence up to which the store was read. `metrics` describe what `judged` says: a twin, fitted
    on events up to a cut and judged on those after it, never the published fit itself.
    """

    format_version: int = FORMAT_VERSION
    id: str
    created_at: datetime
    parent: str | None
    items: int
    events: int
    watermark: int
    profile: dict[str, Any]
    profile_hash: str
    embedder: str
    dimension: int
    seed: int
    libraries: dict[str, str]
    judged: str
    metrics: tuple[Metric, ...]
    checks: tuple[GateCheck, ...]
    files: dict[str, FileEntry]

    @property
    def passed(self) -> bool:
        """Whether every check of the gate passed."""
        return all(check.passed for check in self.checks)

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(entry.size for entry in self.files.values())


def manifest_of(generation_id: str, content: bytes) -> Manifest:
    """The manifest that a file of this `content` is. Raises `CorruptGeneration` where it is none, or another generation's."""
    try:
        record = json.loads(content)
        version = record.get("format_version") if isinstance(record, dict) else None
        if version != FORMAT_VERSION:
            raise CorruptGeneration(generation_id, MANIFEST, f"format version {version}; this program reads {FORMAT_VERSION}")
        manifest = Manifest.model_validate(record)
    except (UnicodeDecodeError, json.JSONDecodeError, ValidationError) as error:
        raise CorruptGeneration(generation_id, MANIFEST, f"cannot be read ({str(error).splitlines()[0]})") from error
    if manifest.id != generation_id:
        raise CorruptGeneration(generation_id, MANIFEST, f"belongs to generation {manifest.id}")
    return manifest


def check_allowed(manifest: Manifest, reason: str) -> None:
    """Raise `RefusedGeneration` where a gate refused a generation that is to be activated without a `reason`."""
    if not manifest.passed and not reason:
        failed = "; ".join(f"{check.name}: {check.message}" for check in manifest.checks if not check.passed)
        raise RefusedGeneration(f"generation {manifest.id} did not pass its gate ({failed}); give a reason to activate it all the same")
