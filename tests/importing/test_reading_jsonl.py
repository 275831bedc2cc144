"""JSONL files, good and bad."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from indexing.importing.files import Format, ImportFile
from indexing.importing.open_table import open_table
from indexing.importing.rows import RECORD_LIMIT, BadRow, Row
from recommender.errors import InvalidInput


def read(tmp_path: Path, content: bytes | str) -> list[Row | BadRow]:
    path = tmp_path / "file.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with open_table(ImportFile(path, Format.JSONL)) as table:
        return list(table.rows)


def test_each_line_is_one_row_and_blank_lines_are_none(tmp_path: Path) -> None:
    assert read(tmp_path, '\ufeff{"id": "a"}\r\n\n  \n{"id": "ü🎬", "tags": ["x"]}') == [
        Row(1, {"id": "a"}),
        Row(4, {"id": "ü🎬", "tags": ["x"]}),
    ]


def test_a_line_separator_inside_a_text_does_not_end_the_row(tmp_path: Path) -> None:
    assert read(tmp_path, '{"id": "a\u2028b\x85c"}\n{"id": "d"}\n') == [Row(1, {"id": "a\u2028b\x85c"}), Row(2, {"id": "d"})]


def test_a_gzipped_file_reads_as_its_content(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b'{"id": "a"}\n')) == [Row(1, {"id": "a"})]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"id": "a"', "not JSON: "),
        (b"plain text", "not JSON: "),
        (b'"a"', "not a JSON object"),
        (b"7", "not a JSON object"),
        (b'{"value": NaN}', "not JSON: NaN is not a JSON value"),
        (b'{"value": -Infinity}', "not JSON: -Infinity is not a JSON value"),
        (b'{"value": ' + b"9" * 5_000 + b"}", "not JSON: "),
        (b'{"id": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"id": "\xe9"}', "not UTF-8"),
        (b'{"id": "\x00"}', "contains NUL characters"),
        (b'{"id": "' + b"x" * RECORD_LIMIT + b'"}', "the line has more than"),
    ],
)
def test_a_bad_line_is_told_and_the_others_are_read(tmp_path: Path, line: bytes, words: str) -> None:
    first, bad, last = read(tmp_path, b'{"id": "a"}\n' + line + b'\n{"id": "b"}\n')

    assert (first, last) == (Row(1, {"id": "a"}), Row(3, {"id": "b"}))
    assert isinstance(bad, BadRow)
    assert bad.line == 2
    assert words in bad.problem


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "") == []


def test_one_big_json_list_is_refused_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="one JSON object per line"):
        read(tmp_path, '[{"id": "a"}]\n')
