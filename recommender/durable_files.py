"""Files that survive a power cut, and whether they are what a manifest says of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class FileEntry(BaseModel):
    """Checksum (hex) and size in bytes of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    size: int

    @classmethod
    def of(cls, path: Path) -> FileEntry:
        """The entry of the file at `path`, which is on disk then."""
        return cls(sha256=synced_sha256(path), size=path.stat().st_size)


def difference(path: Path, entry: FileEntry) -> str:
    """How the file differs from what the manifest says, empty where it does not. Raises OSError when it cannot be read."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return "is missing"
    if not path.is_file():
        return "is not a file"
    if size != entry.size:
        return f"has {size} bytes, the manifest says {entry.size}"
    return "" if _sha256(path) == entry.sha256 else "has another checksum than the manifest says"


def write_durably(path: Path, text: str) -> None:
    """Replace the file `path` by `text` in one step that survives a power cut."""
    write_durably_bytes(path, text.encode("utf-8"))


def write_durably_bytes(path: Path, content: bytes) -> None:
    """Replace the file `path` by `content` in one step that survives a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make sure that the content of a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def synced_sha256(path: Path) -> str:
    """Checksum of a file, which is on disk then."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
