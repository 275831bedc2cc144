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
from recommender.remote.place import Place, is_url, place_at


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
    """A file to import and its format. `place`: the remote place at which `path` is its name, None for a file of this machine."""

    path: Path
    format: Format
    place: Place | None = None

    @property
    def name(self) -> str:
        """The file as messages and rejects name it."""
        return str(self.path) if self.place is None else f"{self.place.url}/{self.path}"

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The bytes of the file, at any position. Raises OSError, and `RemoteError` for a remote one."""
        if self.place is None:
            with self.path.open("rb") as raw:
                yield raw
        else:
            with self.place.opened(str(self.path)) as raw:
                yield raw


@dataclass(frozen=True)
class FileIdentity:
    """What changes when a file is replaced or written to."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    mark: str = ""
    """What a remote place says that changes."""


def import_file(given: Path | str, format: Format | None = None) -> ImportFile:
    """The file `given`, a path or a URL, with `format`, or with the one that its ending names, `.gz` aside.

    Raises `InvalidInput`, and `RemoteError` for a URL that cannot be reached, or whose library is not installed.
    """
    place = None
    if isinstance(given, str) and is_url(given):
        folder, _, name = given.rpartition("/")
        path, place = Path(name), place_at(folder, "file")
        there = bool(name) and place.identity(name) is not None
    else:
        path = Path(given)
        there = path.is_file()
    if not there:
        raise InvalidInput("file", str(given), "an existing regular file (it is read twice, so a pipe will not do)")
    if format is None:
        suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
        format = _ENDINGS.get(suffixes[-1]) if suffixes else None
        if format is None:
            allowed = f"a name that ends in {', '.join(_ENDINGS)} (the text formats also with .gz), or --format"
            raise InvalidInput("file", str(given), allowed)
    return ImportFile(path, format, place)


def identity_of(file: ImportFile) -> FileIdentity:
    """The identity that `file` has now. Raises `InvalidInput` when it is gone, and `RemoteError` when that cannot be found out."""
    if file.place is not None:
        found = file.place.identity(str(file.path))
        if found is None:
            raise InvalidInput("file", file.name, "a file that stays in place during the import (it has gone)")
        return FileIdentity(0, 0, found[0], 0, 0, found[1])
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
        size = identity_of(file).size
        with file.opened() as raw:
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
