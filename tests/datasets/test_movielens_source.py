"""Fetching: from an archive on a server of our own, or else out of a wheel that pip finds; and nothing is ever left half-made."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eval.datasets.command import dataset_group, report_lines
from eval.datasets.download import DownloadFailed, PinnedFile, download, files_of_wheel
from eval.datasets.movielens_source import MovieLensSource, Origin, fetch_movielens_100k
from indexing.progress import reporter
from recommender.cli import run

FILMS = b"item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n1\tHeat\t1995\tAction\n"
RATINGS = b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t1\t5\t881250949\n"
ITEM_LINE = "1|Heat (1995)|01-Jan-1995||http://example.org|0|1" + "|0" * 17
SILENT = reporter(io.StringIO())


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


ARCHIVE = zipped({"ml-100k/u.item": ITEM_LINE.encode("latin-1") + b"\n", "ml-100k/u.data": b"7\t1\t5\t881250949\n"})


@dataclass
class Served:
    """A server on 127.0.0.1 that answers every path with one body; `asked` lists the paths."""

    address: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(body: bytes, *, status: int = 200, length: int | None = None) -> Iterator[Served]:
    served = Served("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.address = f"http://127.0.0.1:{server.server_port}/ml-100k.zip"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def pinned(member: str, content: bytes) -> PinnedFile:
    return PinnedFile(member, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def source(tmp_path: Path) -> MovieLensSource:
    """An address where nobody listens, and a folder of wheels that holds a small wheel of the right name."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    inside = "recbole/dataset_example/ml-100k/ml-100k"
    (wheels / "recbole-1.2.1-py3-none-any.whl").write_bytes(
        zipped(
            {
                f"{inside}.item": FILMS,
                f"{inside}.inter": RATINGS,
                "recbole-1.2.1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n",
                "recbole-1.2.1.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                "recbole-1.2.1.dist-info/RECORD": b"",
            }
        )
    )
    return MovieLensSource(
        url="http://127.0.0.1:9/ml-100k.zip",
        md5=hashlib.md5(ARCHIVE, usedforsecurity=False).hexdigest(),
        films=pinned(f"{inside}.item", FILMS),
        ratings=pinned(f"{inside}.inter", RATINGS),
        pip_options=("--no-index", "--find-links", str(wheels)),
    )


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_archive_comes_first_and_is_kept(tmp_path: Path, source: MovieLensSource) -> None:
    to = tmp_path / "to"
    told: list[str] = []
    with serving(ARCHIVE) as served:
        source = replace(source, url=served.address)
        first = fetch_movielens_100k(to, reporter=SILENT, tell=told.append, source=source)
        items, events = first.items.read_bytes(), first.events.read_bytes()
        second = fetch_movielens_100k(to, reporter=SILENT, tell=told.append, source=source)

    assert first == second
    assert (first.films, first.ratings, first.origin) == (1, 1, Origin.ARCHIVE)
    assert (second.items.read_bytes(), second.events.read_bytes()) == (items, events)
    assert served.asked == ["/ml-100k.zip"]
    assert told == []
    assert left_in(to) == ["events.csv", "items.jsonl", "raw", "raw/ml-100k.zip"]


def test_out_of_reach_of_the_archive_the_wheel_gives_the_same_files_and_is_used_again(tmp_path: Path, source: MovieLensSource) -> None:
    told: list[str] = []
    with serving(ARCHIVE) as served:
        of_archive = fetch_movielens_100k(tmp_path / "a", reporter=SILENT, tell=told.append, source=replace(source, url=served.address))
    of_wheel = fetch_movielens_100k(tmp_path / "w", reporter=SILENT, tell=told.append, source=source)
    again = fetch_movielens_100k(tmp_path / "w", reporter=SILENT, tell=told.append, source=replace(source, pip_options=("--no-index",)))

    assert of_wheel == again
    assert of_wheel.origin is Origin.WHEEL
    assert of_wheel.items.read_bytes() == of_archive.items.read_bytes()
    assert of_wheel.events.read_bytes() == of_archive.events.read_bytes()
    assert left_in(tmp_path / "w") == ["events.csv", "items.jsonl", "raw", "raw/ml-100k.inter", "raw/ml-100k.item"]
    (words,) = told
    assert words.startswith("http://127.0.0.1:9/ml-100k.zip: ")
    assert words.endswith("taking the copy inside recbole==1.2.1 instead")


def kept(to: Path, source: MovieLensSource) -> None:
    """Put both files of the wheel where an earlier call would have left them."""
    (to / "raw").mkdir(parents=True)
    (to / "raw" / source.films.name).write_bytes(FILMS)
    (to / "raw" / source.ratings.name).write_bytes(RATINGS)


def test_a_kept_file_that_was_damaged_is_fetched_again(tmp_path: Path, source: MovieLensSource) -> None:
    kept(tmp_path / "to", source)
    damaged = tmp_path / "to" / "raw" / source.ratings.name
    damaged.write_bytes(RATINGS.replace(b"881250949", b"881250948"))

    fetch_movielens_100k(tmp_path / "to", reporter=SILENT, tell=print, source=source)

    assert damaged.read_bytes() == RATINGS


def test_what_is_wrong_with_the_archive_is_told_and_the_wheel_is_taken(tmp_path: Path, source: MovieLensSource) -> None:
    told: list[str] = []
    with serving(ARCHIVE + b"!") as served:
        files = fetch_movielens_100k(tmp_path / "to", reporter=SILENT, tell=told.append, source=replace(source, url=served.address))

    assert files.origin is Origin.WHEEL
    assert "has MD5" in told[0]
    assert "raw/ml-100k.zip" not in left_in(tmp_path / "to")


def test_out_of_reach_of_both_sources_both_reasons_are_told_and_nothing_is_left(tmp_path: Path, source: MovieLensSource) -> None:
    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1:9.*pip download recbole==1\.2\.1: ERROR: No matching distribution"):
        fetch_movielens_100k(tmp_path / "to", reporter=SILENT, tell=print, source=replace(source, pip_options=("--no-index",)))

    assert left_in(tmp_path / "to") == ["raw"]


def test_a_wheel_with_other_content_is_refused_and_nothing_is_left(tmp_path: Path, source: MovieLensSource) -> None:
    longer = replace(source.ratings, size=source.ratings.size + 1)

    with pytest.raises(DownloadFailed, match=r"ml-100k\.inter has \d+ bytes, not \d+"):
        files_of_wheel(source.requirement, (source.films, longer), tmp_path / "to", pip_options=source.pip_options)

    assert left_in(tmp_path / "to") == []


def test_a_pinned_file_knows_other_content_by_size_and_by_digest() -> None:
    file = pinned("folder/a.txt", b"abc")

    assert file.name == "a.txt"
    assert file.problem(b"abc") == ""
    assert file.problem(b"abcd") == "has 4 bytes, not 3"
    assert file.problem(b"abd").startswith("has SHA-256 ")


@pytest.mark.parametrize(
    ("body", "status", "length", "words"),
    [
        (b"something else", 200, None, "has MD5"),
        (ARCHIVE[:50], 200, len(ARCHIVE), r"cut short, 50 of \d+ bytes arrived"),
        (b"no such file", 404, None, "HTTP 404"),
        (b"try later", 503, None, "HTTP 503"),
    ],
)
def test_a_download_that_is_not_the_pinned_file_leaves_nothing_and_spoils_nothing(
    tmp_path: Path, body: bytes, status: int, length: int | None, words: str
) -> None:
    to = tmp_path / "kept.zip"
    to.write_bytes(b"from before")
    md5 = hashlib.md5(ARCHIVE, usedforsecurity=False).hexdigest()

    with serving(body, status=status, length=length) as served, SILENT.stage("") as stage, pytest.raises(DownloadFailed, match=words):
        download(served.address, to, md5=md5, timeout_s=5, stage=stage)

    assert left_in(tmp_path) == ["kept.zip"]
    assert to.read_bytes() == b"from before"


def test_progress_counts_the_bytes(tmp_path: Path) -> None:
    body = b"x" * 200_000
    counted: list[tuple[int, int | None]] = []
    with serving(body) as served:
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        download(served.address, tmp_path / "x", md5=md5, timeout_s=5, stage=lambda done, total=None: counted.append((done, total)))

    assert counted[-1] == (200_000, 200_000)
    assert counted == sorted(counted)
    assert len(counted) > 1


def test_the_command_fails_in_one_line_that_names_both_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with serving(b"gone", status=410) as served:
        assert run(["movielens-100k", "--to", str(tmp_path / "to"), "--url", served.address], dataset_group) == 1

    out, err = capsys.readouterr()
    told = [line for line in err.splitlines() if not line.startswith("{")]
    assert out == ""
    assert told[0].endswith("HTTP 410 Gone; taking the copy inside recbole==1.2.1 instead")
    assert told[1].startswith("error: MovieLens-100K is out of reach: ")
    assert len(told) == 2


def test_the_report_says_where_the_data_came_from_and_whose_it_is(tmp_path: Path, source: MovieLensSource) -> None:
    kept(tmp_path / "to", source)
    files = fetch_movielens_100k(tmp_path / "to", reporter=SILENT, tell=print, source=source)

    first, *rest = report_lines(files)

    assert first == f"MovieLens-100K from the copy inside the wheel of RecBole: 1 films in {files.items}, 1 ratings in {files.events}"
    assert "GroupLens" in rest[0]
    assert "https://doi.org/10.1145/2827872" in rest[1]
