"""README's own commands and Python example, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from waiting import soon
from worlds import NOW, films, watches

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, holding: str) -> str:
    """The only code block of README in `language` that holds the words `holding`."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if holding in text]
    return str(found)


def environment(data: Path) -> dict[str, str]:
    """As a reader has it, but for free ports and a folder of our own."""
    ours = {"RECOMMENDER_DATA": str(data), **{f"RECOMMENDER_{name}LISTEN": "127.0.0.1:0" for name in ("", "ADMIN_", "METRICS_")}}
    return {**{name: value for name, value in os.environ.items() if not name.startswith("RECOMMENDER_")}, **ours}


def write_own_data(folder: Path) -> None:
    """The files that README's commands name: films as articles and products, what people watched with foreign column names."""
    with (
        (folder / "articles.jsonl").open("w", encoding="utf-8") as articles,
        (folder / "products.csv").open("w", encoding="utf-8") as products,
    ):
        products.write("id,kind,title,categories\n")
        for place, film in enumerate(films()):
            if place % 2:
                products.write(f'{film.id},product,"{film.title}",{film.categories[0]}\n')
            else:
                row = {"id": film.id, "kind": "article", "title": film.title, "categories": film.categories}
                articles.write(json.dumps(row) + "\n")
    rows = [
        {"member": event.subject.id, "item_id": event.item_id, "type": "click", "timestamp": NOW - timedelta(minutes=place)}
        for place, event in enumerate(watches())
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "clicks.parquet")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """README's "Your own data" run line by line; the address of the server that its last line starts."""
    folder = tmp_path_factory.mktemp("reader")
    write_own_data(folder)
    lines = block("sh", "recommender serve").strip().splitlines()
    assert all(line.startswith(".venv/bin/recommender ") for line in lines)
    commands = [[sys.executable, "-m", "recommender", *shlex.split(line)[1:]] for line in lines]
    ours = environment(folder / "var")
    for command in commands[:-1]:
        done = subprocess.run(command, cwd=folder, env=ours, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, (command, done.stderr)
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(commands[-1], cwd=folder, env=ours, stdout=output, stderr=output)
    try:

        def found() -> list[str]:
            return re.findall(r'"listen": "([^"]+)"', log.read_text(encoding="utf-8"))

        assert soon(lambda: bool(found()) or server.poll() is not None), log.read_text(encoding="utf-8")
        assert server.poll() is None, log.read_text(encoding="utf-8")
        yield found()[0]
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def test_the_python_example_prints_items_with_reasons_and_goes_by_the_like(served: str, capsys: pytest.CaptureFixture[str]) -> None:
    example = block("python", "get_feed").replace("127.0.0.1:50051", served)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    printed = capsys.readouterr().out.strip().splitlines()
    assert len(printed) == 5
    assert all(" - " in line for line in printed)
    assert names["first"].id not in {item.id for item in names["feed"].items}  # type: ignore[attr-defined]
    assert any(item.reason.startswith("Because you liked") for item in names["feed"].items)  # type: ignore[attr-defined]
