"""The manifest: what a generation is, what it was made from, and what every file of it must look like."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from recommender.durable_files import FileEntry

FORMAT_VERSION = 11


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
