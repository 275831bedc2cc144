"""`recommender import` as it is typed: exit codes, what goes to which stream, and words instead of tracebacks."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from indexing.importing.command import import_group
from recommender.cli import run


def command(*arguments: object) -> int:
    return run([str(argument) for argument in arguments], import_group)


def test_items_then_events_then_the_same_again(deployment: Any, capsys: pytest.CaptureFixture[str]) -> None:
    films = deployment.file("films.csv.gz", gzip.compress(b"movie,name,rank\n1,One,3\n2,Two,4\n"))
    ratings = deployment.file("ratings.csv", "who,movie,when\n7,1,1600000000\n7,2,2020-01-31\n")
    data = ("--data", deployment.settings.data)
    maps = ("--map", "user_id=who", "--map", "item_id=movie", "--map", "at=when", "--map", "type=:like")

    assert command("items", films, *data, "--map", "id=movie", "--map", "title=name", "--kind", "Media") == 0
    assert capsys.readouterr().out.splitlines() == [
        "items: 2 rows read, 2 created, 0 updated, 0 unchanged, 0 superseded",
        "ignored columns: rank",
    ]
    assert command("events", ratings, *data, *maps) == 0
    assert capsys.readouterr().out == "events: 2 rows read, 2 accepted, 0 duplicates\n"
    assert command("events", ratings, *data, *maps) == 0
    assert capsys.readouterr().out == "events: 2 rows read, 0 accepted, 2 duplicates\n"


def test_the_report_as_json_stands_alone_on_standard_output(deployment: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = deployment.jsonl("items.jsonl", [{"id": "a", "kind": "media", "ü": 1}, {"id": "b"}])

    assert command("items", file, "--data", deployment.settings.data, "--max-rejects", "50%", "--json") == 0

    report = json.loads(capsys.readouterr().out)
    assert {key: value for key, value in report.items() if key != "rejects_file"} == {
        "what": "items",
        "files": [str(file)],
        "rows": 2,
        "valid": 1,
        "rejected": 1,
        "counts": {"created": 1, "updated": 0, "unchanged": 0, "superseded": 0},
        "reasons": {"kind: missing": 1},
        "ignored_columns": ["ü"],
        "dry_run": False,
    }
    assert Path(report["rejects_file"]).is_file()


def test_a_refused_import_is_one_line_on_standard_error_and_exit_code_1(deployment: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = deployment.jsonl("items.jsonl", [{"id": "a"}])

    assert command("items", file, "--data", deployment.settings.data, "--kind", "media", "--map", "price=:cheap") == 1

    out, err = capsys.readouterr()
    (told,) = [line for line in err.splitlines() if not line.startswith("{")]
    assert out == ""
    assert told.startswith("error: 1 of 1 rows are bad, more than the allowed 1 % of the rows; nothing was imported, see ")
    assert told.endswith("1 × price: allowed: a finite number")


def test_a_dry_run_of_events_says_what_would_be_written(deployment: Any, capsys: pytest.CaptureFixture[str]) -> None:
    deployment.items(deployment.jsonl("items.jsonl", [{"id": "a", "kind": "media"}]))
    file = deployment.jsonl("events.jsonl", [{"type": "like", "user_id": "u", "item_id": "a", "at": 1_700_000_000}])

    assert command("events", file, "--data", deployment.settings.data, "--dry-run") == 0

    assert capsys.readouterr().out == "events: 1 rows read, 1 would be written (dry run)\n"
    with deployment.store() as store:
        assert store.counts().events == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("items",),
        ("items", "missing.csv"),
        ("items", "rows.txt"),
        ("items", "rows.csv", "--map", "nothing=x"),
        ("items", "rows.csv", "--kind", "film"),
        ("items", "rows.csv", "--max-rejects", "few"),
        ("items", "rows.csv", "--max-rejects", "1.5"),
        ("items", "rows.csv", "--max-rejects", "-1"),
        ("items", "rows.csv", "--rejects", "rows.csv"),
        ("items", "rows.csv", "--batch", "0"),
        ("items", "rows.csv", "--format", "xml"),
        ("events", "rows.csv", "--kind", "media"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rows.csv", "rows.txt"):
        (tmp_path / name).write_text("id,kind\n")

    assert command(*arguments) == 2
    assert "Error: " in capsys.readouterr().err
    assert sorted(os.listdir()) == ["rows.csv", "rows.txt"]


def test_the_format_may_be_told_where_the_name_does_not(deployment: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = deployment.file("export.txt", '{"id": "a", "kind": "media"}\n')

    assert command("items", file, "--data", deployment.settings.data, "--format", "jsonl") == 0
    assert deployment.titles() == {"a": ""}


def test_a_terminal_shows_bars_and_a_pipe_shows_lines_of_json(deployment: Any) -> None:
    file = deployment.jsonl("items.jsonl", [{"id": "a", "kind": "media"}])
    program = (
        "import sys; from recommender.cli import run; from indexing.importing.command import import_group; run(sys.argv[1:], import_group)"
    )
    call = [sys.executable, "-c", program, "items", str(file), "--data", str(deployment.settings.data)]

    piped = subprocess.run(call, capture_output=True, text=True, check=True)
    assert {json.loads(line)["stage"] for line in piped.stderr.splitlines()} == {"checking items.jsonl", "importing items.jsonl"}

    ours, theirs = pty.openpty()
    subprocess.run(call, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"}, check=True)
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "checking items.jsonl" in shown
    assert "━" in shown
