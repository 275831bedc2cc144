"""`recommender eval`, from its options to what it prints and writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from worlds import World

from eval.command import evaluate
from eval.material import FORMATS
from eval.outputs.tables import shown
from eval.splitting import OPTIONS, SPLITS
from recommender.cli import run
from recommender.generation import Generations

DOCUMENT = (Path(__file__).parents[2] / "docs/evaluation.md").read_text(encoding="utf-8")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def build(world: World, tmp_path: Path) -> Path:
    """A file of the world's build settings."""
    path = tmp_path / "build.toml"
    path.write_text(f'embedder = "{world.build.embedder}"\n', encoding="utf-8")
    return path


def test_the_command_prints_tables_and_writes_every_file_and_publishes_nothing(
    world: World, build: Path, tmp_path: Path, capsys: Capture
) -> None:
    before = Generations(world.settings.generations_path).ids()
    other, segments = tmp_path / "other.toml", tmp_path / "segments.csv"
    other.write_text("[placements.home]\nrank_constant = 1\nweights = {content = [0, 0, 0, 1]}\n", encoding="utf-8")
    segments.write_text("user_id,segment\n" + "".join(f"person-{n},[red]odd[/]\n" for n in range(1, 40, 2)), encoding="utf-8")
    files = {name: tmp_path / f"report.{name}" for name in ("json", "parquet", "html")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    asked = ["--ablate", "--compare", str(other), "--segments", str(segments), "--learning-curve", "--k", "5,10", "--share", "0.3"]
    assert run(["eval", "--data", str(world.data), "--build", str(build), *asked, *options]) == 0
    printed = capsys.readouterr().out
    figures = json.loads(files["json"].read_text(encoding="utf-8"))
    assert shown(figures["variants"]["blend"]["ndcg@10"]) in printed
    assert figures["blend_over"]["popularity"]["low"] > 0
    for part in (
        "By segment: NDCG@10",
        "[red]odd[/]",
        "NDCG@10 lost without each source",
        "Compared with other.toml",
        "Learnt from a share",
    ):
        assert part in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert shown(figures["variants"]["blend"]["ndcg@10"]) in files["html"].read_text(encoding="utf-8")
    assert set(pq.read_table(files["parquet"])["variant"].to_pylist()) >= {"blend", "other", "without graph"}
    assert Generations(world.settings.generations_path).ids() == before


def test_the_command_judges_on_files_in_rolling_windows(
    model: Path, lists_of_ratings: Path, build: Path, tmp_path: Path, capsys: Capture
) -> None:
    report, page = tmp_path / "report.json", tmp_path / "report.html"
    words = ["--data", str(tmp_path / "var"), "--dataset", str(lists_of_ratings), "--format", "movielens", "--split", "rolling"]
    assert run(["eval", *words, "--windows", "2", "--build", str(build), "--json", str(report), "--html", str(page)]) == 0
    assert "tiny: 30 people (60 queries) in 2 windows" in capsys.readouterr().out
    figures = json.loads(report.read_text(encoding="utf-8"))
    assert [window["name"] for window in figures["windows"]] == ["window 1 of 2", "window 2 of 2"]
    assert "<script" not in page.read_text(encoding="utf-8")


def test_the_command_judges_on_files_of_ones_own(model: Path, build: Path, tmp_path: Path, capsys: Capture) -> None:
    rows = [f"u{person},i{(person % 2 + 2 * step) % 24},like,2026-01-{1 + step:02}T00:00:00Z" for person in range(24) for step in range(10)]
    parts = {"train.csv": [row for row in rows if int(row[-12:-10]) < 9], "test.csv": [row for row in rows if int(row[-12:-10]) >= 9]}
    for name, some in parts.items():
        (tmp_path / name).write_text("\n".join(["user_id,item_id,type,at", *some]) + "\n", encoding="utf-8")
    (tmp_path / "items.csv").write_text("id,kind,title\n" + "".join(f"i{n},media,Film {n}\n" for n in range(30)), encoding="utf-8")
    words = ["--train", str(tmp_path / "train.csv"), "--test", str(tmp_path / "test.csv"), "--items", str(tmp_path / "items.csv")]
    report = tmp_path / "report.json"
    asked = ["--cold-start", "--json", str(report), "--build", str(build)]
    assert run(["eval", "--data", str(tmp_path / "var"), *words, *asked]) == 0
    printed = capsys.readouterr().out
    assert "train.csv: 24 people (as given)" in printed
    assert "NDCG@10 of the same 24 people by what is known of them" in printed
    figures = json.loads(report.read_text(encoding="utf-8"))
    assert (figures["data"]["items"], figures["data"]["events"]) == (30, 192)
    assert [group["group"] for group in figures["cold_start"]["groups"]] == ["0", "1", "2", "3", "5"]


def test_looks_at_a_test_part_are_logged_before_and_after(lists_of_ratings: Path, build: Path, tmp_path: Path, capsys: Capture) -> None:
    log, report = tmp_path / "log" / "looks.jsonl", tmp_path / "report.json"
    words = ["--data", str(tmp_path / "var"), "--dataset", str(lists_of_ratings), "--format", "movielens", "--build", str(build)]
    assert run(["eval", *words, "--split", "last", "--log", str(log), "--json", str(report)]) == 0
    before, after = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    blend = json.loads(report.read_text(encoding="utf-8"))["variants"]["blend"]
    assert (before["state"], after["state"]) == ("started", "judged")
    assert (before["set"], before["split"], before["people"]) == ("movielens tiny", "last", 30)
    assert after["ndcg@10"] == pytest.approx(blend["ndcg@10"]["mean"], abs=1e-5)
    capsys.readouterr()
    assert run(["eval", *words, "--split", "time", "--log", str(log)]) == 1
    assert "--log" in capsys.readouterr().err
    assert run(["eval", *words, "--split", "last", "--log", "/proc/looks.jsonl"]) == 1
    assert "a file that can be written to" in capsys.readouterr().err
    assert len(log.read_text(encoding="utf-8").splitlines()) == 2


def test_a_random_split_is_warned_of(lists_of_ratings: Path, build: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["--data", str(tmp_path / "var"), "--dataset", str(lists_of_ratings), "--format", "movielens", "--split", "random"]
    assert run(["eval", *words, "--build", str(build)]) == 0
    assert "warning: a random split leaks the future" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--placement", "moon"], "there are: home"),
        (["--cut", "yesterday"], "--cut: given 'yesterday'"),
        (["--split", "thirds"], "--split: given 'thirds', allowed: one of time, rolling"),
        (["--split", "given"], "another split"),
        (["--windows", "3"], "only with --split rolling, this is time"),
        (["--cut", "2030-01-01"], "the newest event is of"),
        (["--format", "movielens"], "both --dataset and --format"),
        (["--set", "Beauty"], "only together with --dataset"),
        (["--log", "looks.jsonl"], "--log: given 'looks.jsonl', allowed: only together with --dataset"),
        (["--train", "train.csv"], "both --train and --test"),
        (["--train", "a.csv", "--test", "b.csv", "--dataset", "/nowhere", "--format", "mind"], "not both"),
        (["--train", "a.csv", "--test", "b.csv"], "a.csv"),
        (["--items", "items.csv"], "only together with --train and --test"),
        (["--split", "impressions"], "events of type impression"),
        (["--among", "all"], "only with --split cold-items"),
        (["--dataset", "/nowhere", "--format", "netflix"], "--format: given 'netflix'"),
        (["--dataset", "/nowhere", "--format", "movielens"], "/nowhere/movies.csv"),
        (["--html", "/nowhere/report.html"], "--html: given '/nowhere/report.html'"),
        (["--json", "same", "--html", "same"], "another file than that of --json"),
        (["--compare", "/nowhere/other.toml"], "/nowhere/other.toml"),
        (["--segments", "/nowhere/segments.csv"], "/nowhere/segments.csv"),
    ],
)
def test_bad_input_is_refused_in_words(
    world: World, words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["eval", "--data", str(world.data), *words]) == 1
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["--share", "0"], ["--share", "1"], ["--reveal", "1"], ["--k", "0,5"], ["--k", "five"], ["--people", "0"]]
)
def test_numbers_out_of_range_are_refused_as_usage(world: World, words: list[str], capsys: Capture) -> None:
    assert run(["eval", "--data", str(world.data), *words]) == 2
    assert words[0] in capsys.readouterr().err


def test_comparing_a_file_with_itself_is_refused_before_anything_is_read(build: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(["eval", "--data", str(tmp_path / "nowhere"), "--build", str(build), "--compare", str(build)]) == 1
    assert "another file than the one that is judged" in capsys.readouterr().err


def test_every_option_split_and_format_stands_in_the_document_and_no_other() -> None:
    compare = evaluate.commands["compare"]
    options = {option for command in (evaluate, compare) for parameter in command.params for option in parameter.opts if option[0] == "-"}
    assert set(re.findall(r"--[a-z][a-z-]*", DOCUMENT)) == options
    rows = dict(re.findall(r"^\| `([a-z][a-z-]*)` \| (?:.*\| )?([^|]*)\|$", DOCUMENT, re.MULTILINE))
    assert [name for name in rows if name in SPLITS] == list(SPLITS)
    assert {name for name in rows if name not in SPLITS} == set(FORMATS)
    for split in set(SPLITS) - {"rolling"}:
        assert set(re.findall(r"--([a-z]+)", rows[split])) == {option for option, splits in OPTIONS.items() if split in splits}, split
    help_text = {parameter.name: getattr(parameter, "help", "") for parameter in evaluate.params}
    assert all(name in help_text["split"] for name in SPLITS)
    assert all(name in help_text["format"] for name in FORMATS)
