"""docs/import.md says what the code does: the same columns, the same options, and examples that import."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest

from indexing.importing.command import import_group
from indexing.importing.import_files import EVENTS_PER_WRITE, ITEMS_PER_WRITE
from indexing.importing.schema import EVENTS, ITEMS, Schema

DOCUMENT = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading."""
    return re.split(r"^## ", DOCUMENT.partition(f"\n## {title}\n")[2], flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in `text`, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def examples(language: str) -> list[tuple[str, str]]:
    """Code blocks in the section of examples, each with "items" or "events" from the line above it."""
    found = re.findall(rf"(Items|Events) in [^\n]+:\n\n```{language}\n(.*?)```", section("Examples"), flags=re.DOTALL)
    return [(what.lower(), code) for what, code in found]


@pytest.mark.parametrize("schema", [ITEMS, EVENTS], ids=lambda schema: schema.name)
def test_the_columns_in_the_document_are_those_of_the_code(schema: Schema) -> None:
    documented = rows(section(f"Columns of {schema.name}"))

    assert documented == [[f"`{c.name}`", "yes" if c.required else "", c.form, c.meaning] for c in schema.columns]
    for family in schema.families:
        assert f"`{family}<name>`" in section(f"Columns of {schema.name}")


@pytest.mark.parametrize("schema", [ITEMS, EVENTS], ids=lambda schema: schema.name)
def test_every_form_of_a_column_is_explained(schema: Schema) -> None:
    assert {column.form for column in schema.columns} <= {row[0] for row in rows(section("Forms"))}


def test_the_required_columns_are_those_marked_so() -> None:
    for schema in (ITEMS, EVENTS):
        alone = {group[0] for group in schema.needed if len(group) == 1}
        assert alone == {column.name for column in schema.columns if column.required}


def test_the_options_in_the_document_are_those_of_the_commands() -> None:
    options = {
        option.opts[0]: option.default
        for command in import_group.commands.values()
        for option in command.params
        if isinstance(option, click.Option)
    }
    documented = {re.findall(r"--[a-z-]+", row[0])[0]: row[1].strip("`") for row in rows(section("Options"))}

    assert documented.keys() == options.keys()
    assert documented["--max-rejects"] == options["--max-rejects"]
    assert documented["--batch"] == f"{ITEMS_PER_WRITE:,} items, {EVENTS_PER_WRITE:,} events"


@pytest.mark.parametrize("language", ["csv", "jsonl"])
def test_text_examples_import(deployment: Any, language: str) -> None:
    written = examples(language)
    assert [what for what, _ in written] == ["items", "events"]

    items = deployment.items(deployment.file(f"items.{language}", written[0][1]))
    events = deployment.events(deployment.file(f"events.{language}", written[1][1]))

    assert (items.counts["created"], items.ignored_columns, events.counts["accepted"], events.ignored_columns) == (2, (), 2, ())


def test_parquet_examples_import(deployment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(deployment.folder)
    written = examples("python")
    assert [what for what, _ in written] == ["items", "events"]
    for what, code in written:
        exec(compile(code, f"example of {what}", "exec"), {})

    items = deployment.items(deployment.folder / "items.parquet")
    events = deployment.events(deployment.folder / "events.parquet")

    assert (items.counts["created"], events.counts["accepted"]) == (1, 1)


def test_the_csv_example_has_the_types_that_the_document_promises(deployment: Any) -> None:
    deployment.items(deployment.file("items.csv", examples("csv")[0][1]))

    with deployment.store() as store:
        (film,) = store.get_items(["f1"])
    assert dict(film.item.attributes) == {"year": 1979.0, "subtitled": True}
    assert film.item.categories == ("Drama", "Science fiction")
