"""`recommender generations …` as operators use it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from worlds import NOW, World

from recommender.cli import run
from recommender.generation import GateCheck, Generations, Manifest
from recommender.generation.writer_lock import writer_lock


class Shop:
    """A data folder with three generations; the middle one is active after the first, the newest was refused by its gate."""

    def __init__(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = world.data
        self.generations = Generations(world.settings.generations_path)
        self._capsys = capsys
        self.first = world.outcome.manifest.id
        self.second = self._copied(1, passed=True)
        self.refused = self._copied(2, passed=False)
        self.generations.activate(self.second, now=NOW + timedelta(hours=1))

    def _copied(self, place: int, *, passed: bool) -> str:
        generation_id = f"20260301T12000{place}-0000000{place}"
        folder = self.generations.root / generation_id
        shutil.copytree(self.generations.root / self.first, folder)
        manifest = self.generations.manifest(self.first)
        checks = (*manifest.checks, GateCheck(name="over-popularity", passed=passed, message=f"blend − popularity: {place}"))
        (folder / "manifest.json").write_text(manifest.model_copy(update={"id": generation_id, "checks": checks}).model_dump_json())
        return generation_id

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of `recommender generations …`."""
        code = run(["generations", *arguments, "--data", str(self.data)])
        shown = self._capsys.readouterr()
        return code, shown.out, shown.err


@pytest.fixture
def shop(fresh_world: Callable[[], World], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("COLUMNS", "60")
    return Shop(fresh_world(), capsys)


def test_list_shows_the_newest_first_and_marks_the_active_one(shop: Shop) -> None:
    code, out, _ = shop.run("list")
    assert code == 0
    lines = [line for line in out.splitlines() if re.search(r"\d{8}T\d{6}-[0-9a-f]{8}", line)]
    assert [next(i for i in (shop.first, shop.second, shop.refused) if i in line) for line in lines] == [
        shop.refused,
        shop.second,
        shop.first,
    ]
    assert ["*" in line for line in lines] == [False, True, False]
    assert ["refused" in line for line in lines] == [True, False, False]
    assert all(re.search(r"\b60\b.*\b480\b", line) for line in lines)


def test_list_shows_a_corrupt_generation_as_such(shop: Shop) -> None:
    (shop.generations.root / shop.first / "manifest.json").write_text("{")
    code, out, _ = shop.run("list")
    assert code == 0
    assert "corrupt" in out


def test_list_of_an_empty_folder_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generations", "list", "--data", str(tmp_path)]) == 0


def test_show_prints_the_manifest_of_the_active_generation_or_of_the_one_named(shop: Shop) -> None:
    code, out, _ = shop.run("show")
    assert code == 0
    assert Manifest.model_validate(json.loads(out)) == shop.generations.manifest(shop.second)
    assert json.loads(shop.run("show", shop.first)[1])["id"] == shop.first


def test_show_without_an_active_generation_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generations", "show", "--data", str(tmp_path)]) == 1
    root = tmp_path / "generations"
    assert capsys.readouterr().err == f"error: no active generation below '{root}'; build one with `recommender reindex`\n"


def test_activate_makes_another_generation_the_serving_one(shop: Shop) -> None:
    assert shop.run("activate", shop.first) == (0, f"active: {shop.first}; before: {shop.second}\n", "")
    assert shop.generations.current_id() == shop.first


def test_activate_of_a_refused_generation_needs_a_reason_which_is_recorded(shop: Shop) -> None:
    code, out, err = shop.run("activate", shop.refused)
    assert (code, out) == (1, "")
    assert f"generation {shop.refused} did not pass its gate (over-popularity: blend − popularity: 2)" in err
    assert shop.generations.current_id() == shop.second
    assert shop.run("activate", shop.refused, "--reason", "a test")[0] == 0
    assert shop.generations.current_id() == shop.refused
    assert shop.generations.activations()[-1]["reason"] == "a test"


@pytest.mark.parametrize("name", ["20990101T000000-00000000", "../etc", "", "CURRENT"])
def test_activate_of_an_unknown_generation_says_which_there_are(shop: Shop, name: str) -> None:
    code, _, err = shop.run("activate", name)
    assert code == 1
    assert err.startswith(f"error: no generation {name!r}; there are: {shop.refused}, {shop.second}, {shop.first}")
    assert shop.generations.current_id() == shop.second


def test_activate_refuses_a_damaged_generation_by_file_and_the_active_one_stays(shop: Shop) -> None:
    path = shop.generations.root / shop.first / "factors.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    code, _, err = shop.run("activate", shop.first)
    assert (code, err) == (1, f"error: generation {shop.first} is refused: factors.npy: has another checksum than the manifest says\n")
    assert shop.generations.current_id() == shop.second


def test_rollback_goes_back_one_activation(shop: Shop) -> None:
    assert shop.run("rollback", "--reason", "worse") == (0, f"active: {shop.first}; before: {shop.second}\n", "")
    assert shop.generations.current_id() == shop.first
    assert shop.generations.activations()[-1]["reason"] == "worse"
    code, _, err = shop.run("rollback")
    assert code == 1
    assert "nothing earlier was activated that still exists" in err


def test_rollback_passes_over_an_activation_that_was_killed_before_it_took_effect(shop: Shop) -> None:
    shop.run("activate", shop.refused, "--reason", "a test")
    (shop.generations.root / "CURRENT").write_text(shop.second)
    third = shop._copied(3, passed=True)
    assert shop.run("activate", third)[0] == 0
    assert shop.run("rollback") == (0, f"active: {shop.second}; before: {third}\n", "")


@pytest.mark.parametrize("line", [b"3", b'{"id": "x"}', b"\xff\xfe", b"null"])
def test_lines_of_the_log_that_say_nothing_are_passed_over(shop: Shop, line: bytes) -> None:
    with (shop.generations.root / "ACTIVATIONS.jsonl").open("ab") as log:
        log.write(line + b"\n")
    assert shop.run("rollback")[1] == f"active: {shop.first}; before: {shop.second}\n"


def test_a_line_of_the_log_that_a_crash_cut_short_does_not_spoil_the_next(shop: Shop) -> None:
    with (shop.generations.root / "ACTIVATIONS.jsonl").open("a") as log:
        log.write('{"at": "2026-03-01T')
    third = shop._copied(3, passed=True)
    assert shop.run("activate", third)[0] == 0
    assert [entry["id"] for entry in shop.generations.activations()] == [shop.first, shop.second, third]
    assert shop.run("rollback")[1] == f"active: {shop.second}; before: {third}\n"


def test_verify_checks_the_generation_named_or_all(shop: Shop) -> None:
    code, out, err = shop.run("verify")
    assert (code, err) == (0, "")
    files = len(shop.generations.manifest(shop.first).files)
    assert out == "".join(f"{i}: {files} files as the manifest says\n" for i in (shop.refused, shop.second, shop.first))
    assert shop.run("verify", shop.first)[1] == f"{shop.first}: {files} files as the manifest says\n"


def test_verify_names_every_damaged_generation_and_goes_on(shop: Shop) -> None:
    (shop.generations.root / shop.refused / "items.arrow").unlink()
    (shop.generations.root / shop.first / "popularity.npy").write_bytes(b"")
    code, out, err = shop.run("verify")
    assert code == 1
    assert out.startswith(f"{shop.second}: ")
    assert f"generation {shop.refused} is refused: items.arrow: is missing" in err
    assert f"generation {shop.first} is refused: popularity.npy: has 0 bytes" in err


def test_a_file_in_place_of_the_log_is_told_in_one_line(shop: Shop) -> None:
    (shop.generations.root / "ACTIVATIONS.jsonl").unlink()
    (shop.generations.root / "ACTIVATIONS.jsonl").mkdir()
    code, _, err = shop.run("activate", shop.first)
    assert code == 1
    assert err.startswith(f"error: cannot write the active generation's name below {shop.generations.root}: ")
    assert shop.generations.current_id() == shop.second


def test_the_installed_command_runs_without_what_only_building_needs(shop: Shop) -> None:
    program = (
        "import sys; from recommender.cli import run\n"
        "code = run(sys.argv[1:])\n"
        "print(code, sorted({'torch', 'implicit', 'pandas', 'sentence_transformers', 'grpc', 'indexing', 'server'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "generations", "rollback", "--data", str(shop.data)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"active: {shop.first}; before: {shop.second}", "0 []"]
    at = datetime.fromisoformat(shop.generations.activations()[-1]["at"])
    assert abs(datetime.now(UTC) - at) < timedelta(hours=1)


def test_diff_sets_two_generations_side_by_side(shop: Shop) -> None:
    code, out, _ = shop.run("diff", shop.first, shop.refused)
    assert code == 0
    assert "0 items added\n0 items removed\n0 items changed\n0 vectors changed\n" in out
    assert re.search(rf"id +{shop.first} +{shop.refused}", out)
    assert re.search(r"gate +passed +refused", out)
    assert re.search(r"blend/ndcg@10 +0\.\d{4} \[0\.\d{4}, [01]\.\d{4}\] +0\.\d{4} \[", out)
    assert re.search(r"over-popularity +passed +FAILED: blend − popularity: 2", out)

    code, out, _ = shop.run("diff", shop.first, shop.refused, "--json")
    shown = json.loads(out)
    assert (shown["before"]["id"], shown["after"]["id"]) == (shop.first, shop.refused)
    assert (shown["settings"], shown["added"]) == ({}, {"count": 0, "ids": []})
    assert [check["passed"] for check in shown["checks"]["over-popularity"]] == [True, False]


def test_diff_names_a_generation_that_is_not_there(shop: Shop) -> None:
    code, _, err = shop.run("diff", shop.first, "20990101T000000-00000000")
    assert code == 1
    assert err.startswith("error: no generation '20990101T000000-00000000'; there are: ")


def test_prune_keeps_the_newest_the_active_one_and_the_one_before_it(shop: Shop) -> None:
    shop.generations.activate(shop.refused, now=NOW + timedelta(hours=2), reason="tried")
    before = shop.generations.ids()

    code, out, _ = shop.run("prune", "--keep", "1", "--dry-run")
    assert (code, out) == (0, f"would be removed: {shop.first}\n")
    assert shop.generations.ids() == before

    code, out, _ = shop.run("prune", "--keep", "1")
    assert (code, out) == (0, f"removed: {shop.first}\n")
    assert shop.generations.ids() == [shop.refused, shop.second]
    assert shop.run("prune", "--keep", "1")[1] == "nothing to remove: 2 generations, 1 to keep\n"
    assert shop.run("prune", "--keep", "0")[0] == 2


def test_prune_waits_for_no_build(shop: Shop) -> None:
    with writer_lock(shop.generations.root, now=NOW):
        code, _, err = shop.run("prune", "--keep", "1")
    assert code == 75
    assert err.startswith("error: another build is running: process ")
    assert len(shop.generations.ids()) == 3
