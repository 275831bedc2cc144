"""The command as operators meet it: exit codes, messages, and the report."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from worlds import NOW

from indexing.command import FILES_REFUSED, REFUSED, UNCHANGED, reindex
from recommender.cli import FAILED, INTERRUPTED, LOCKED, run
from recommender.generation import Generations, Manifest
from recommender.generation.writer_lock import writer_lock
from recommender.judging import VARIANTS
from recommender.settings import Settings
from recommender.store import open_store

STAGES = [
    *("read", "embed", "index vectors", "judge a twin", "learn", "index words", "export the query encoder"),
    *("list what is alike", "check", "publish"),
]


def lose_most_items(settings: Settings) -> None:
    with open_store(settings.store_path) as store:
        store.delete_items([f"film-{number}" for number in range(40)], now=NOW)


def test_every_stage_is_told_on_standard_error_and_the_checks_on_standard_output(
    modelless: Callable[..., Settings], judged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = modelless()
    assert run(["reindex", "--data", str(settings.data), "--build", str(judged)]) == 0
    shown = capsys.readouterr()
    records = [json.loads(line) for line in shown.err.splitlines()]
    assert [record["stage"] for record in records if record["state"] == "started"] == STAGES
    assert [record["stage"] for record in records if record["state"] == "finished"] == STAGES
    [judged] = map(int, re.findall(r"judged on (\d+) people", " ".join(shown.out.split())))
    assert {record["stage"]: record["done"] for record in records if record["state"] == "finished"} == {
        "read": 480,
        "embed": 0,
        "index vectors": 60,
        "judge a twin": len(VARIANTS) * judged,
        "learn": 1,
        "index words": 0,
        "export the query encoder": 0,
        "list what is alike": 60,
        "check": 0,
        "publish": 2,
    }
    assert "Judged: a twin fitted on events before" in shown.out.replace("\n", " ")
    assert "passed  items: 60 items, 60 of them live; at least one must be" in shown.out
    current = Generations(settings.generations_path).current_id()
    assert f"generation {current}: active; 60 items, 480 events, 0 texts embedded, 0 from the cache" in shown.out


def test_the_report_holds_the_manifest_and_what_became_of_it(
    modelless: Callable[..., Settings], judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, path = modelless(), tmp_path / "report.json"
    assert run(["reindex", "--data", str(settings.data), "--build", str(judged), "--json", str(path), "--keep", "1"]) == 0
    report = json.loads(path.read_text())
    assert report.keys() == {
        "outcome",
        "message",
        "manifest",
        "activated",
        "forced",
        "stages",
        "embedded",
        "cached",
        "latencies",
        "pruned",
        "imported",
        "retention",
    }
    assert (report["outcome"], report["activated"], report["forced"], report["message"]) == ("published", True, "", "")
    assert (report["embedded"], report["cached"], report["pruned"]) == (0, 0, [])
    assert [took["name"] for took in report["stages"]] == STAGES
    assert all(took["seconds"] >= 0 and took["resumed"] is False for took in report["stages"])
    assert report["latencies"]["ours_ms"] > 0
    assert report["latencies"]["parent_ms"] is None
    manifest = Manifest.model_validate(report["manifest"])
    assert manifest == Generations(settings.generations_path).manifest(manifest.id)
    assert {metric.name for metric in manifest.metrics} >= {"blend/ndcg@10", "popularity/ndcg@10"}


def test_a_report_that_could_not_be_written_stops_the_command_before_it_builds(
    modelless: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = modelless()
    assert run(["reindex", "--data", str(settings.data), "--json", str(tmp_path / "no" / "report.json")]) == 1
    assert "error: --json: given " in capsys.readouterr().err
    assert Generations(settings.generations_path).ids() == []


def test_a_refused_build_ends_with_3_and_says_how_to_activate_it(
    modelless: Callable[..., Settings], quick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, path = modelless(), tmp_path / "report.json"
    arguments = ["reindex", "--data", str(settings.data), "--build", str(quick)]
    assert run(arguments) == 0
    generations = Generations(settings.generations_path)
    before = generations.current_id()
    lose_most_items(settings)
    capsys.readouterr()
    assert run([*arguments, "--json", str(path)]) == 3
    shown = capsys.readouterr().out
    refused = next(generation_id for generation_id in generations.ids() if generation_id != before)
    assert generations.current_id() == before
    assert "FAILED  items-kept: 20, the parent had 60; at least 30 must be left" in shown
    assert f"generation {refused}: refused by its gate and kept, not active" in shown
    report = json.loads(path.read_text())
    assert (report["outcome"], report["activated"]) == ("refused", False)
    assert "items-kept" in [check["name"] for check in report["manifest"]["checks"] if not check["passed"]]

    advised = next(line for line in shown.splitlines() if "recommender generations activate" in line).split("recommender ", 1)[1]
    assert run([*advised.replace("REASON", "sold").split(), "--data", str(settings.data)]) == 0
    assert generations.current_id() == refused


def test_force_activates_what_the_gate_refuses_and_records_the_reason(
    modelless: Callable[..., Settings], quick: Path, tmp_path: Path
) -> None:
    settings = modelless()
    arguments = ["reindex", "--data", str(settings.data), "--build", str(quick)]
    assert run(arguments) == 0
    lose_most_items(settings)
    report = tmp_path / "report.json"
    assert run([*arguments, "--force", "the shop was sold", "--json", str(report)]) == 0
    assert json.loads(report.read_text())["forced"] == "the shop was sold"
    generations = Generations(settings.generations_path)
    assert generations.current_id() == generations.activations()[-1]["id"]
    assert generations.activations()[-1]["reason"] == "the shop was sold"
    assert not generations.manifest(generations.activations()[-1]["id"]).passed


def test_nothing_to_build_from_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reindex", "--data", str(tmp_path)]) == 1
    [message] = capsys.readouterr().err.splitlines()
    assert message.startswith("error: no store ")
    with open_store(tmp_path / "store.sqlite", create=True):
        pass
    assert run(["reindex", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("add some with `recommender import items FILE`")


def test_an_unusable_folder_of_generations_is_told_in_one_line(
    modelless: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = modelless()
    settings.generations_path.write_text("in the way")
    assert run(["reindex", "--data", str(settings.data)]) == 1
    [message] = capsys.readouterr().err.splitlines()
    assert message.startswith(f"error: cannot lock {settings.generations_path}: File exists")


def test_an_embedder_that_does_not_exist_is_told_in_one_line(
    modelless: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = modelless()
    items = settings.data / "items.jsonl"
    items.write_text('{"id": "bare", "kind": "media", "title": "rocket"}\n')
    assert run(["import", "items", "--data", str(settings.data), str(items)]) == 0
    capsys.readouterr()
    assert run(["reindex", "--data", str(settings.data), "--embedder", "/no/such/model"]) == 1
    shown = capsys.readouterr().err.splitlines()
    assert shown[-1].startswith("error: embedder: given '/no/such/model', allowed: a folder that exists")
    assert all(line.startswith("{") for line in shown[:-1])


def test_the_first_placement_of_the_file_is_judged(
    modelless: Callable[..., Settings], judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    placements, report = tmp_path / "placements.toml", tmp_path / "report.json"
    placements.write_text("[placements.evening]\nkinds = ['media']\n[placements.home]\n")
    arguments = ["reindex", "--data", str(modelless().data), "--placements", str(placements), "--json", str(report)]
    assert run([*arguments, "--build", str(judged)]) == 0
    assert ", placement evening (" in json.loads(report.read_text())["manifest"]["judged"]


@pytest.mark.parametrize("arguments", [["--keep", "0"], ["--keep", "many"], ["--nonsense"], ["unexpected"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reindex", *arguments]) == 2


def test_nothing_is_built_where_nothing_has_changed_if_asked_so(
    modelless: Callable[..., Settings], quick: Path, judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, report = modelless(), tmp_path / "report.json"
    arguments = ["reindex", "--data", str(settings.data), "--if-changed", "--json", str(report)]
    assert run([*arguments, "--build", str(quick)]) == 0
    generations = Generations(settings.generations_path)
    only = generations.current_id()
    capsys.readouterr()

    assert run([*arguments, "--build", str(quick)]) == 4

    assert capsys.readouterr().out.startswith(f"nothing has changed since generation {only} was built")
    assert json.loads(report.read_text())["outcome"] == "unchanged"
    assert generations.ids() == [only]
    # Other settings are a change, and so is one more event or item.
    assert run([*arguments, "--build", str(judged)]) == 0
    lose_most_items(settings)
    assert run([*arguments, "--build", str(quick)]) == 3


def test_a_build_that_fails_or_finds_another_one_running_reports_that(
    modelless: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, report = modelless(), tmp_path / "report.json"
    arguments = ["reindex", "--data", str(settings.data), "--json", str(report)]
    with writer_lock(settings.generations_path, now=NOW):
        assert run(arguments) == 75
    told = json.loads(report.read_text())
    assert told["outcome"] == "locked"
    assert told["message"] in capsys.readouterr().err
    assert run(["reindex", "--data", str(tmp_path / "nowhere"), "--json", str(report)]) == 1
    assert json.loads(report.read_text())["outcome"] == "failed"


def test_every_exit_code_stands_in_the_help_and_in_readme() -> None:
    shown = CliRunner().invoke(reindex, ["--help"]).output
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = {int(code) for code in re.findall(r"^\| `(\d+)` \| ", readme, re.MULTILINE)}
    said = {int(code) for code in re.findall(r"\b(\d+) [a-z]", shown[shown.index("Exit status") :].split("\n\n")[0])}
    assert said == table == {0, FAILED, 2, REFUSED, UNCHANGED, FILES_REFUSED, LOCKED, INTERRUPTED}


def test_in_the_end_what_has_expired_goes_and_the_report_says_what(
    modelless: Callable[..., Settings], quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, path = modelless(), tmp_path / "report.json"
    arguments = ["reindex", "--data", str(settings.data), "--build", str(quick), "--json", str(path)]
    monkeypatch.setenv("RECOMMENDER_EVENT_DAYS", "20")
    monkeypatch.setenv("RECOMMENDER_LEAST_EVENTS", "0")
    with open_store(settings.store_path) as store:
        before = store.expiry.event_days()
    assert run([*arguments, "--keep-expired"]) == 0
    assert json.loads(path.read_text())["retention"] is None
    with open_store(settings.store_path) as store:
        assert store.expiry.event_days() == before

    capsys.readouterr()
    assert run([*arguments, "--if-changed"]) == UNCHANGED

    gone = json.loads(path.read_text())["retention"]["expired"][0]
    with open_store(settings.store_path) as store:
        after = store.expiry.event_days()
    assert after == before[-len(after) :]
    assert gone["count"] == sum(day.rows for day in before) - sum(day.rows for day in after) > 0
    assert gone["partitions"] == len(before) - len(after)
    assert (before[-1].day - after[0].day).days <= 20 < (before[-1].day - before[-len(after) - 1].day).days
    assert f"expired: {gone['count']} events" in capsys.readouterr().err

    assert run(arguments) == 0
    report = json.loads(path.read_text())
    assert report["manifest"]["events"] == sum(day.rows for day in after)
    assert report["retention"]["complete"] is True
    assert [each["count"] for each in report["retention"]["expired"]] == [0, 0, 0, 0, 0]


def test_a_build_has_been_published_also_where_letting_go_fails(
    modelless: Callable[..., Settings], quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, path = modelless(), tmp_path / "report.json"
    monkeypatch.setenv("RECOMMENDER_EVENT_DAYS", "20")
    monkeypatch.setenv("RECOMMENDER_LEAST_EVENTS", "0")
    with closing(sqlite3.connect(settings.store_path)) as connection, connection:
        connection.execute("CREATE TRIGGER stuck BEFORE DELETE ON event_partitions BEGIN SELECT raise(FAIL, 'stuck'); END")
    assert run(["reindex", "--data", str(settings.data), "--build", str(quick), "--json", str(path)]) == 0
    report = json.loads(path.read_text())
    assert (report["outcome"], report["activated"]) == ("published", True)
    assert report["retention"]["complete"] is False
    assert "stuck" in report["retention"]["notes"][0]
    assert "what has expired could not all be let go" in capsys.readouterr().err
