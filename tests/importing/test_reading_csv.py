"""CSV files, good and bad: what is read, on which line, and what is said of the rest."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from indexing.importing.files import Format, ImportFile
from indexing.importing.open_table import open_table
from indexing.importing.rows import RECORD_LIMIT, BadRow, Row
from recommender.errors import InvalidInput


def read(tmp_path: Path, content: bytes | str) -> list[Row | BadRow]:
    path = tmp_path / "file.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with open_table(ImportFile(path, Format.CSV)) as table:
        return list(table.rows)


def test_rows_come_with_the_line_they_begin_on(tmp_path: Path) -> None:
    rows = read(tmp_path, 'id,title\na,one\n\nb,"two\nlines"\nc,three\n')

    assert rows == [
        Row(2, {"id": "a", "title": "one"}),
        Row(4, {"id": "b", "title": "two\nlines"}),
        Row(6, {"id": "c", "title": "three"}),
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_any_line_end_will_do_and_the_last_line_needs_none(tmp_path: Path, line_end: str) -> None:
    rows = read(tmp_path, line_end.join(["id,title", "a,one", "b,two"]))

    assert rows == [Row(2, {"id": "a", "title": "one"}), Row(3, {"id": "b", "title": "two"})]


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfid\na\n") == [Row(2, {"id": "a"})]


def test_a_gzipped_file_reads_as_its_content(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress("id\nä\n".encode())) == [Row(2, {"id": "ä"})]


def test_a_gzipped_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"{n * 7919 % 10_007}\n" for n in range(20_000))
    whole = gzip.compress(f"id\n{rows}".encode())

    with pytest.raises(InvalidInput, match="complete gzip file"):
        read(tmp_path, whole[: len(whole) // 2])


def test_doubled_quotes_and_unicode_stay_as_they_are(tmp_path: Path) -> None:
    assert read(tmp_path, 'id,title\na,"She said ""né 🎬"", then\u2028left"\n') == [
        Row(2, {"id": "a", "title": 'She said "né 🎬", then\u2028left'})
    ]


def test_ragged_rows_are_bad_with_their_line(tmp_path: Path) -> None:
    rows = read(tmp_path, "id,title\na\nb,two\nc,three,more\n")

    assert rows == [
        BadRow(2, "the row has 1 fields where the header has 2", "a"),
        Row(3, {"id": "b", "title": "two"}),
        BadRow(4, "the row has 3 fields where the header has 2", "c,three,more"),
    ]


def test_bytes_that_are_not_utf_8_cost_only_their_row(tmp_path: Path) -> None:
    rows = read(tmp_path, b"id,title\na,caf\xe9\nb,caf\xc3\xa9\n")

    assert isinstance(rows[0], BadRow)
    assert (rows[0].line, rows[0].problem) == (2, "contains bytes that are not UTF-8, or half of a surrogate pair")
    assert rows[1:] == [Row(3, {"id": "b", "title": "café"})]


def test_nul_bytes_cost_only_their_row(tmp_path: Path) -> None:
    rows = read(tmp_path, b"id,title\na,x\x00y\nb,two\n")

    assert rows == [BadRow(2, "contains NUL characters", "a,x\0y\n"), Row(3, {"id": "b", "title": "two"})]


def test_a_quote_that_never_closes_costs_only_its_row(tmp_path: Path) -> None:
    rows = read(tmp_path, 'id,title\na,"open\nb,two\nc,three\n')

    assert rows == [
        BadRow(2, "the quotes do not match (unexpected end of data)", 'a,"open\n'),
        Row(3, {"id": "b", "title": "two"}),
        Row(4, {"id": "c", "title": "three"}),
    ]


def test_text_after_a_closing_quote_is_bad(tmp_path: Path) -> None:
    rows = read(tmp_path, 'id,title\na,"one" more\nb,two\n')

    assert isinstance(rows[0], BadRow)
    assert rows[0].problem.startswith("the quotes do not match")
    assert rows[1:] == [Row(3, {"id": "b", "title": "two"})]


def test_a_line_beyond_the_bound_is_bad_and_cut(tmp_path: Path) -> None:
    rows = read(tmp_path, f"id,title\na,{'x' * (2 * RECORD_LIMIT)}\nb,two\n")

    assert isinstance(rows[0], BadRow)
    assert (rows[0].line, rows[0].problem) == (2, f"the line has more than {RECORD_LIMIT:,} characters")
    assert len(rows[0].raw) <= 2_000
    assert rows[1:] == [Row(3, {"id": "b", "title": "two"})]


def test_a_quoted_field_that_outgrows_the_bound_is_left_after_its_first_line(tmp_path: Path) -> None:
    filler = "y" * 99_999
    lines = RECORD_LIMIT // 100_000 + 2
    rows = read(tmp_path, 'id\n"a\n' + f"{filler}\n" * lines + "b\n")

    assert rows[0] == BadRow(2, f"a quoted field does not end within {RECORD_LIMIT:,} characters", '"a\n')
    assert rows[1:] == [*(Row(3 + n, {"id": filler}) for n in range(lines)), Row(3 + lines, {"id": "b"})]


def test_a_field_of_the_longest_text_allowed_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, f"text\n{'x' * 200_000}\n") == [Row(2, {"text": "x" * 200_000})]


def test_a_header_alone_is_a_file_without_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "id,title\n") == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "this file is empty"),
        (b"\n\n", "this file is empty"),
        (b"id,title,id\n", "names each column once"),
        (b"id,\xff\n", "not UTF-8"),
        ("id,kind\n".encode("utf-16"), "UTF-16"),
        (b"PAR1 and more", "use --format parquet"),
    ],
)
def test_a_file_without_a_usable_header_is_refused_as_a_whole(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read(tmp_path, content)


def test_a_column_without_name_is_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, ",id\n0,a\n1,b\n") == [Row(2, {"id": "a"}), Row(3, {"id": "b"})]
