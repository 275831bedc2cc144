"""A remote place: a folder of an object store or of another file system that fsspec knows, and what may be done with files there.

Credentials, endpoints and regions are what the file system's own library reads from the environment; they never stand in a URL here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from recommender.durable_files import write_durably_bytes
from recommender.errors import InvalidInput, RecommenderError, RemoteError

_URL = re.compile(r"[a-z][a-z0-9+.-]*://.*", re.DOTALL)
_SECRETS = re.compile(r"(?<=\?)\S+|(?<=://)[^/\s]+@")
"""What a message of another library may quote: the arguments of a signed URL, and who signs in with which password."""
WHY_MOST = 300
"""Characters of another library's message that are shown."""

EXTRAS: Mapping[str, str] = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""The extra of the wheel that brings what a scheme needs."""

_S3 = {"config_kwargs": {"connect_timeout": 5, "read_timeout": 30, "retries": {"mode": "standard", "max_attempts": 3}}}
"""By default, a store that is out of reach would be waited for by the minute."""
_OPTIONS: Mapping[str, Mapping[str, Any]] = {"s3": _S3, "s3a": _S3, "file": {"auto_mkdir": True}, "local": {"auto_mkdir": True}}


def is_url(text: str) -> bool:
    """Whether `text` is a URL rather than a path on this machine."""
    return _URL.match(text) is not None


@dataclass(frozen=True)
class Version:
    """Which content of a file was read: None where there was no file. `tag` is the file system's own, where it has one."""

    content: bytes | None
    tag: str | None = None


class Changed(RemoteError):
    """A file is not what it was when it was read: somebody else has replaced it."""


class Place:
    """The folder `url`; made by `place_at`. Names of files are relative to it, with / between folders.

    All methods raise `RemoteError` where the place cannot be reached, read or written.
    """

    def __init__(self, url: str, system: Any, root: str) -> None:
        self.url = url
        self._system = system
        self._root = root.rstrip("/")

    @property
    def conditional(self) -> bool:
        """Whether a file can be replaced on condition that nobody else has done so meanwhile."""
        return "s3" in self._protocols

    @property
    def _protocols(self) -> tuple[str, ...]:
        protocol = self._system.protocol
        return (protocol,) if isinstance(protocol, str) else tuple(protocol)

    def files(self, folder: str = "") -> dict[str, int]:
        """The names of all files below `folder`, with their sizes in bytes; none where there is no such folder."""
        with self._reaching("listed"):
            self._system.invalidate_cache()
            try:
                found = self._system.find(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
        return {str(PurePosixPath(path).relative_to(PurePosixPath(self._root))): int(each["size"]) for path, each in found.items()}

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none."""
        with self._reaching(f"read ({name})"):
            try:
                content: bytes = self._system.cat_file(self._path(name))
            except FileNotFoundError:
                return None
        return content

    def read_version(self, name: str) -> Version:
        """The content of a file, to be replaced by `replace`."""
        if not self.conditional:
            return Version(self.read(name))
        with self._reaching(f"read ({name})"):
            try:
                # The tag first: where somebody replaces the file after that, replacing it here is refused.
                tag = str(self._system.info(self._path(name), refresh=True)["ETag"])
                return Version(self._system.cat_file(self._path(name)), tag)
            except FileNotFoundError:
                return Version(None)

    def replace(self, name: str, content: bytes, seen: Version) -> None:
        """Replace a file that is still as it was `seen`. Raises `Changed` where it is not.

        Where the file system cannot be told that condition, it is compared with what was seen just before: such a place needs another
        guard beside. There is no moment at which others read half of it.
        """
        if not self.conditional:
            if self.read(name) != seen.content:
                raise self._changed(name)
            return self.write(name, content)
        condition = {"IfNoneMatch": "*"} if seen.tag is None else {"IfMatch": seen.tag}
        with self._reaching(f"written ({name})"):
            try:
                self._system.pipe_file(self._path(name), content, **condition)
            except Exception as error:
                if _refused_by_condition(error):
                    raise self._changed(name) from error
                raise

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whatever was there; whole or not at all."""
        path = self._path(name)
        with self._reaching(f"written ({name})"):
            if "file" in self._protocols:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                write_durably_bytes(Path(path), content)
            else:
                self._system.pipe_file(path, content)

    def upload(self, file: Path, name: str) -> None:
        """Copy a file of this machine to the place."""
        with self._reaching(f"written ({name})"):
            self._system.put_file(str(file), self._path(name))

    def download(self, name: str, file: Path) -> bool:
        """Copy a file of the place to this machine; whether there is one."""
        with self._reaching(f"read ({name})"):
            try:
                self._system.get_file(self._path(name), str(file))
            except FileNotFoundError:
                return False
        return True

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """A file, opened for reading bytes at any position, a few megabytes at a time. Reading from it raises `RemoteError`."""
        with self._reaching(f"read ({name})"):
            stream = self._system.open(self._path(name), "rb")
        with stream, BufferedReader(_Stream(stream, lambda: self._reaching(f"read ({name})"))) as buffered:
            yield cast(BinaryIO, buffered)

    def identity(self, name: str) -> tuple[int, str] | None:
        """Size and whatever else the file system says that changes when a file is replaced; None where there is no file."""
        with self._reaching(f"read ({name})"):
            try:
                self._system.invalidate_cache()
                told = self._system.info(self._path(name))
            except FileNotFoundError:
                return None
        if told.get("type") != "file":
            return None
        marks = [str(told.get(mark)) for mark in ("ETag", "etag", "generation", "LastModified", "mtime", "updated", "created", "ino")]
        return int(told["size"]), " ".join(marks)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing happens where there is none."""
        with self._reaching(f"removed ({name})"):
            try:
                self._system.rm(self._path(name), recursive=True)
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _changed(self, name: str) -> Changed:
        return Changed(f"{self.url}/{name} has been replaced by somebody else meanwhile; try again")

    @contextmanager
    def _reaching(self, what: str) -> Iterator[None]:
        """Libraries of file systems raise whatever they like, which is not known here."""
        try:
            yield
        except RecommenderError:
            raise
        except Exception as error:
            raise RemoteError(f"{self.url} cannot be {what} now: {_why(error)}") from error


class _Stream(RawIOBase):
    """A file of a library, whose errors are made ours within `reaching`."""

    def __init__(self, stream: Any, reaching: Callable[[], AbstractContextManager[None]]) -> None:
        self._stream = stream
        self._reaching = reaching

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as much as `buffer` takes, or what is there."""
        with self._reaching():
            content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position."""
        with self._reaching():
            return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        """The position."""
        return int(self._stream.tell())


def place_at(url: str, field: str) -> Place:
    """The place `url`, such as s3://bucket/folder, which is not looked at yet. `field`: how messages call what was given.

    Raises `InvalidInput` for anything else and for a URL with a password in it, and `RemoteError` where the library of its file system is
    not installed.
    """
    scheme, there, rest = url.partition("://")
    if not there or not _URL.match(url) or not rest.strip("/"):
        raise InvalidInput(field, url, "a URL with a folder, such as s3://bucket/folder, gs://bucket/folder or file:///folder")
    if "@" in rest.partition("/")[0]:
        raise InvalidInput(field, f"{scheme}://…", "a URL without user and password; credentials come from the environment")
    # Imported here and nowhere else: what has no remote place does without.
    from fsspec.core import url_to_fs

    try:
        system, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True, **_OPTIONS.get(scheme, {}))
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        remedy = f'pip install "content-recommender[{extra}]"' if extra else f"install what fsspec needs for {scheme}"
        raise RemoteError(f"{url} needs a library that is not installed ({error}): {remedy}") from error
    except ValueError as error:
        raise InvalidInput(field, url, f"a URL of a file system that fsspec knows ({error})") from error
    return Place(url.rstrip("/"), system, root)


def _refused_by_condition(error: BaseException) -> bool:
    """Whether the store says 412 or, where two replaced a file in the same moment, 409; 404 where the file to be replaced has gone."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
        if code in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey"):
            return True
        seen = seen.__cause__ or seen.__context__
    return isinstance(error, FileExistsError)


def _why(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [""])[0]
    text = _SECRETS.sub("…", text)[:WHY_MOST]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
