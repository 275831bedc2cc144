"""Which format a file has, how its bytes are opened, and whether it is still the file that was looked at."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from recommender.errors import InvalidInput


class Format(Enum):
    """The file formats that can be imported."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    ARROW = "arrow"


_ENDINGS = {
    ".csv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".arrow": Format.ARROW,
    ".feather": Format.ARROW,
}

_GZIP_MAGIC = b"\x1f\x8b"
_COLUMNAR_MAGICS = {b"PAR1": ("Parquet", Format.PARQUET), b"ARRO": ("Arrow", Format.ARROW)}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class ImportFile:
    """A file to import and its format."""

    path: Path
    format: Format

    @property
    def name(self) -> str:
        """The file as messages and rejects name it."""
        return str(self.path)


@dataclass(frozen=True)
class FileIdentity:
    """What changes when a file is replaced or written to."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def import_file(path: Path, format: Format | None = None) -> ImportFile:
    """`path` with `format`, or with the one that its ending names, `.gz` aside. Raises `InvalidInput`."""
    if not path.is_file():
        raise InvalidInput("file", str(path), "an existing regular file (it is read twice, so a pipe will not do)")
    if format is None:
        suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
        format = _ENDINGS.get(suffixes[-1]) if suffixes else None
        if format is None:
            allowed = f"a name that ends in {', '.join(_ENDINGS)} (the text formats also with .gz), or --format"
            raise InvalidInput("file", str(path), allowed)
    return ImportFile(path, format)


def identity_of(file: ImportFile) -> FileIdentity:
    """The identity that `file` has now. Raises `InvalidInput` when it is gone."""
    try:
        status = file.path.stat()
    except OSError as error:
        raise InvalidInput("file", file.name, f"a file that stays in place during the import ({error.strerror})") from error
    return FileIdentity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class OpenText:
    """An open text file and how far it was read."""

    def __init__(self, raw: BinaryIO, stream: TextIO, size: int) -> None:
        self._raw = raw
        self._size = size
        self.stream = stream

    def position(self) -> float:
        """The part of the file's bytes that was read, 0 to 1."""
        return min(1.0, self._raw.tell() / self._size) if self._size else 1.0


@contextmanager
def open_text(file: ImportFile) -> Iterator[OpenText]:
    """Opens a text file, gzipped or not, as UTF-8 with or without byte order mark.

    Bytes that are not UTF-8 become lone surrogates, so that only their rows are lost. Raises `InvalidInput` where the whole
    file cannot be text in UTF-8, cannot be read, or is a damaged gzip file.
    """
    try:
        with file.path.open("rb") as raw:
            size = file.path.stat().st_size
            gzipped = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            # The gzip reader is a buffered binary reader in all but its declared type.
            binary = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if gzipped else raw
            _check_beginning(file, binary)
            with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
                yield OpenText(raw, stream, size)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInput("file", file.name, f"a complete gzip file ({error})") from error
    except OSError as error:
        raise InvalidInput("file", file.name, f"a readable file ({error.strerror or error})") from error


def _check_beginning(file: ImportFile, binary: BinaryIO) -> None:
    beginning = binary.read(4)
    binary.seek(0)
    if beginning in _COLUMNAR_MAGICS:
        name, format = _COLUMNAR_MAGICS[beginning]
        raise InvalidInput("file", file.name, f"{file.format.value} text; this is a file of {name}, use --format {format.value}")
    if beginning[:2] in _UTF16_MARKS:
        raise InvalidInput("file", file.name, "text in UTF-8; this file begins with a UTF-16 byte order mark")
