"""The folder of generations: written whole or not at all, checked, chosen, rolled back and pruned."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import resource
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from handmade import NOW, checkerboard, contents_of, engine_of, feed_of, some_items

from recommender.errors import CorruptGeneration, NotFound, RecommenderError, RefusedGeneration
from recommender.feeds import Query
from recommender.generation import Contents, FileEntry, GateCheck, Generations, Manifest
from recommender.generation.checked import NOTE, was_checked
from recommender.generation.contents import file_names
from recommender.generation.manifest import FORMAT_VERSION
from recommender.placements import Placement
from recommender.profile import BuildSettings

CONTENTS = checkerboard(12)


def describe(*, passed: bool = True) -> Callable[[str, dict[str, FileEntry]], Manifest]:
    settings = BuildSettings()

    def described(generation_id: str, files: dict[str, FileEntry]) -> Manifest:
        return Manifest(
            id=generation_id,
            created_at=NOW,
            parent=None,
            items=12,
            events=0,
            watermark=7,
            profile=settings.model_dump(mode="json"),
            profile_hash=settings.hash,
            embedder="by hand",
            dimension=4,
            seed=0,
            libraries={},
            judged="nothing",
            metrics=(),
            checks=(GateCheck(name="sound", passed=passed, message="as it should be" if passed else "not as it should be"),),
            files=files,
        )

    return described


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "generations")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Generations:
    """Two generations, of which the older one is active, to be copied: that is ten times as quick as to write them durably."""
    made = Generations(tmp_path_factory.mktemp("two") / "generations")
    good, _ = add(made, 0), add(made, 1)
    made.activate(good, now=NOW)
    return made


@pytest.fixture
def copied(two: Generations, tmp_path: Path) -> Generations:
    """A copy of `two`, whose newer generation is to be damaged."""
    shutil.copytree(two.root, tmp_path / "copied")
    return Generations(tmp_path / "copied")


def add(generations: Generations, day: int = 0, *, passed: bool = True, contents: Contents = CONTENTS) -> str:
    return generations.add(contents, describe(passed=passed), now=NOW + timedelta(days=day)).id


def log_of(generations: Generations) -> Path:
    return generations.root / "ACTIVATIONS.jsonl"


def test_before_the_first_there_is_none(generations: Generations) -> None:
    assert generations.ids() == []
    assert generations.current_id() is None
    assert generations.activations() == []
    with pytest.raises(NotFound, match="none yet; run `recommender reindex`"):
        generations.load("20260301T123015-00000000")


def test_a_generation_is_listed_newest_first_and_loads(generations: Generations) -> None:
    ids = [add(generations, day) for day in (1, 0, 2)]
    assert generations.ids() == sorted(ids, reverse=True)
    assert ids[0].startswith("20260302T123015-")
    loaded = generations.load(ids[0])
    assert (loaded.id, loaded.manifest.watermark, loaded.settings) == (ids[0], 7, BuildSettings())
    assert loaded.contents.catalogue.n == 12
    assert set(loaded.manifest.files) == set(file_names())


def test_adding_activates_nothing(generations: Generations) -> None:
    add(generations)
    assert generations.current_id() is None


def test_the_same_contents_at_the_same_moment_are_one_generation(generations: Generations) -> None:
    first = add(generations)
    assert add(generations) == first
    assert generations.ids() == [first]
    other = add(generations, contents=contents_of(some_items(3)))
    assert sorted(generations.ids()) == sorted([first, other])


def test_an_empty_generation_is_written_and_loads(generations: Generations) -> None:
    loaded = generations.load(add(generations, contents=contents_of([])))
    assert loaded.contents.catalogue.n == 0
    assert len(feed_of(engine_of(loaded.contents), Query(Placement(name="home"), 5)).numbers) == 0


def test_activation_names_who_served_before_and_is_logged(generations: Generations) -> None:
    first, second = add(generations, 0), add(generations, 1)
    assert generations.activate(first, now=NOW) is None
    assert generations.activate(second, now=NOW, reason="better") == first
    assert generations.current_id() == second
    assert [(entry["id"], entry["previous"], entry["reason"]) for entry in generations.activations()] == [
        (first, None, ""),
        (second, first, "better"),
    ]


def test_what_its_gate_refused_needs_a_reason_which_is_kept(generations: Generations) -> None:
    good, refused = add(generations, 0), add(generations, 1, passed=False)
    generations.activate(good, now=NOW)
    with pytest.raises(RefusedGeneration, match="sound: not as it should be"):
        generations.activate(refused, now=NOW)
    assert generations.current_id() == good
    assert len(generations.activations()) == 1
    generations.activate(refused, now=NOW, reason="the gate is wrong")
    assert generations.current_id() == refused
    last = generations.activations()[-1]
    assert (last["reason"], last["passed"]) == ("the gate is wrong", False)


def test_two_rollbacks_go_back_two(generations: Generations) -> None:
    first, second, third = (add(generations, day) for day in range(3))
    for each in (first, second, third):
        generations.activate(each, now=NOW)
    assert generations.rollback(now=NOW) == (second, third)
    assert generations.rollback(now=NOW, reason="worse still") == (first, second)
    assert generations.current_id() == first
    assert [entry["reason"] for entry in generations.activations()[-2:]] == [f"rollback from {third}", "worse still"]
    with pytest.raises(NotFound, match="no generation before"):
        generations.rollback(now=NOW)
    assert generations.current_id() == first


def test_after_a_rollback_a_new_one_can_be_rolled_back_too(generations: Generations) -> None:
    first, second, third = (add(generations, day) for day in range(3))
    generations.activate(first, now=NOW)
    generations.activate(second, now=NOW)
    generations.rollback(now=NOW)
    generations.activate(third, now=NOW)
    assert generations.rollback(now=NOW) == (first, third)


def test_an_old_one_activated_by_hand_is_undone_like_any_other(generations: Generations) -> None:
    first, second, third = (add(generations, day) for day in range(3))
    for each in (first, second, third, first):
        generations.activate(each, now=NOW)
    assert generations.rollback(now=NOW) == (third, first)
    assert generations.rollback(now=NOW) == (second, third)
    assert generations.rollback(now=NOW) == (first, second)


def test_activating_the_active_one_again_is_no_step(generations: Generations) -> None:
    first, second = add(generations, 0), add(generations, 1)
    for each in (first, second, second):
        generations.activate(each, now=NOW)
    assert generations.rollback(now=NOW) == (first, second)


def test_a_refused_predecessor_may_be_gone_back_to(generations: Generations) -> None:
    refused, good = add(generations, 0, passed=False), add(generations, 1)
    generations.activate(refused, now=NOW, reason="known to be fine")
    generations.activate(good, now=NOW)
    assert generations.rollback(now=NOW) == (refused, good)


def test_rollback_passes_over_what_was_removed(generations: Generations) -> None:
    first, second, third = (add(generations, day) for day in range(3))
    for each in (first, second, third):
        generations.activate(each, now=NOW)
    (generations.root / second).rename(generations.root / "elsewhere")
    assert generations.rollback(now=NOW) == (first, third)


def test_rollback_refuses_a_damaged_predecessor_and_stays(generations: Generations) -> None:
    first, second = add(generations, 0), add(generations, 1)
    generations.activate(first, now=NOW)
    generations.activate(second, now=NOW)
    (generations.root / first / "factors.npy").unlink()
    with pytest.raises(CorruptGeneration, match=r"factors\.npy: is missing"):
        generations.rollback(now=NOW)
    assert generations.current_id() == second


def test_a_crash_between_log_and_switch_confuses_nobody(generations: Generations) -> None:
    first, second, third = (add(generations, day) for day in range(3))
    generations.activate(first, now=NOW)
    generations.activate(second, now=NOW)
    before = (generations.root / "CURRENT").read_text()
    generations.activate(third, now=NOW)
    (generations.root / "CURRENT").write_text(before)
    assert generations.current_id() == second
    assert generations.rollback(now=NOW) == (first, second)


def test_a_log_line_cut_short_by_a_crash_is_passed_over(generations: Generations) -> None:
    first, second = add(generations, 0), add(generations, 1)
    generations.activate(first, now=NOW)
    with log_of(generations).open("a") as log:
        log.write('{"at": "2026-03')
    generations.activate(second, now=NOW)
    assert [entry["id"] for entry in generations.activations()] == [first, second]
    assert generations.rollback(now=NOW) == (first, second)


# Damage


def assert_refused(generations: Generations, generation_id: str, file: str, why: str) -> None:
    """Every way to use it names the file and the cause, and what served goes on."""
    before = generations.current_id()
    uses = (generations.verify, generations.load, lambda each: generations.activate(each, now=NOW, reason="all the same"))
    for use in uses:
        with pytest.raises(CorruptGeneration) as caught:
            use(generation_id)
        assert generation_id in str(caught.value)
        assert caught.value.file == file
        assert why in str(caught.value)
    assert generations.current_id() == before


@pytest.mark.parametrize("name", file_names())
def test_a_missing_file_is_named(copied: Generations, name: str) -> None:
    bad = copied.ids()[0]
    (copied.root / bad / name).unlink()
    assert_refused(copied, bad, name, "is missing")


@pytest.mark.parametrize("name", file_names())
def test_a_truncated_file_is_named(copied: Generations, name: str) -> None:
    bad = copied.ids()[0]
    path = copied.root / bad / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert_refused(copied, bad, name, f"has {len(whole) // 2} bytes, the manifest says {len(whole)}")


@pytest.mark.parametrize("name", file_names())
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_flipped_bit_is_named(copied: Generations, name: str, place: float) -> None:
    bad = copied.ids()[0]
    path = copied.root / bad / name
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    assert_refused(copied, bad, name, "another checksum")


def test_unverified_loading_still_refuses_what_cannot_be_read(generations: Generations) -> None:
    bad = add(generations)
    for name in file_names():
        path = generations.root / bad / name
        whole = path.read_bytes()
        path.write_bytes(b"")
        with pytest.raises(CorruptGeneration):
            generations.load(bad, verify=False)
        path.write_bytes(whole)
    assert generations.load(bad, verify=False).id == bad


def edited(generations: Generations, generation_id: str, **changes: object) -> None:
    path = generations.root / generation_id / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("version", [0, 1, FORMAT_VERSION + 1, 999, "2", None])
def test_an_unknown_format_is_refused_by_its_version(generations: Generations, version: object) -> None:
    bad = add(generations)
    edited(generations, bad, format_version=version, shape_of_things_to_come=True)
    assert_refused(generations, bad, "manifest.json", f"format version {version}; this program reads {FORMAT_VERSION}")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\x00", f'{{"format_version": {FORMAT_VERSION}}}'])
def test_a_manifest_that_cannot_be_read_is_refused(generations: Generations, text: str) -> None:
    bad = add(generations)
    (generations.root / bad / "manifest.json").write_text(text)
    assert_refused(generations, bad, "manifest.json", "")


def test_a_missing_manifest_is_refused(generations: Generations) -> None:
    bad = add(generations)
    (generations.root / bad / "manifest.json").unlink()
    assert_refused(generations, bad, "manifest.json", "cannot be read")


def test_a_manifest_of_another_generation_is_refused(generations: Generations) -> None:
    first, second = add(generations, 0), add(generations, 1)
    (generations.root / second / "manifest.json").write_bytes((generations.root / first / "manifest.json").read_bytes())
    assert_refused(generations, second, "manifest.json", f"belongs to generation {first}")


def test_a_file_that_the_manifest_does_not_know_is_refused(generations: Generations) -> None:
    bad = add(generations)
    files = json.loads((generations.root / bad / "manifest.json").read_text())["files"]
    del files["popularity.npy"]
    edited(generations, bad, files=files)
    assert_refused(generations, bad, "popularity.npy", "is not in the manifest")


def test_settings_of_another_program_are_refused(generations: Generations) -> None:
    bad = add(generations)
    edited(generations, bad, profile={"quantum_factors": 3})
    with pytest.raises(CorruptGeneration):
        generations.load(bad)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../generations", "/etc", "20260301T123015-0000000", "20260301T123015-00000000\n", "CURRENT", "a\x00b"]
)
def test_no_id_leads_out_of_the_folder(generations: Generations, name: str) -> None:
    add(generations)
    for use in (generations.manifest, generations.verify, generations.load, lambda each: generations.activate(each, now=NOW)):
        with pytest.raises(NotFound):
            use(name)


def test_current_may_point_to_nothing_and_a_new_one_still_takes_over(generations: Generations) -> None:
    first, second = add(generations, 0), add(generations, 1)
    generations.activate(first, now=NOW)
    for nonsense in ("20200101T000000-deadbeef\n", "../../etc/passwd", "\n", "ünïcode"):
        (generations.root / "CURRENT").write_text(nonsense, encoding="utf-8")
        current = generations.current_id()
        if current is not None:
            with pytest.raises(NotFound):
                generations.load(current)
    generations.activate(second, now=NOW)
    assert generations.current_id() == second


def test_from_a_current_that_points_to_nothing_one_can_roll_back(generations: Generations) -> None:
    first, second = add(generations, 0), add(generations, 1)
    generations.activate(first, now=NOW)
    generations.activate(second, now=NOW)
    (generations.root / second).rename(generations.root / "elsewhere")
    assert generations.rollback(now=NOW) == (first, second)


def test_what_may_pass_is_not_called_corruption(generations: Generations) -> None:
    sound = add(generations)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    told = []
    # From no file at all to enough for the arrays but not for all that is mapped.
    for handles in range(12):
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + handles, hard))
        try:
            generations.load(sound)
        except RecommenderError as error:
            told.append(error)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(told) > 9
    assert {type(error) for error in told} == {RecommenderError}
    for error in told:
        assert str(error).startswith(f"generation {sound} cannot be read now: ")
        assert str(error).endswith("Too many open files; try again")
        assert str(generations.root) not in str(error)
    assert generations.load(sound).id == sound


def test_what_is_told_of_damage_names_no_folder(generations: Generations) -> None:
    bad = add(generations)
    for name in ("manifest.json", *file_names()):
        path = generations.root / bad / name
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(CorruptGeneration) as caught:
            generations.load(bad, verify=False)
        assert str(generations.root) not in str(caught.value)
        path.write_bytes(whole)


# Leftovers and pruning


def test_what_a_killed_build_left_is_ignored_and_swept(generations: Generations) -> None:
    kept = add(generations)
    for name in (".new-20260301T123015-17", ".old-20260301T123015-0123abcd"):
        (generations.root / name).mkdir()
        (generations.root / name / "factors.npy").write_bytes(b"half")
    assert generations.ids() == [kept]
    other = add(generations, 1)
    assert sorted(path.name for path in generations.root.iterdir()) == sorted([kept, other])


def test_a_build_that_fails_leaves_nothing(generations: Generations) -> None:
    def fails(generation_id: str, files: dict[str, FileEntry]) -> Manifest:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        generations.add(CONTENTS, fails, now=NOW)
    assert list(generations.root.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((RecommenderError, NotADirectoryError)):
        add(Generations(tmp_path / "file" / "generations"))


def test_pruning_keeps_the_newest_the_active_and_its_predecessor(generations: Generations) -> None:
    ids = [add(generations, day) for day in range(6)]
    generations.activate(ids[1], now=NOW)
    generations.activate(ids[0], now=NOW)
    assert sorted(generations.prune(2)) == [ids[2], ids[3]]
    assert sorted(generations.ids()) == [ids[0], ids[1], ids[4], ids[5]]
    assert generations.load(ids[0]).id == ids[0]
    assert generations.rollback(now=NOW) == (ids[1], ids[0])
    assert not [path for path in generations.root.iterdir() if path.name.startswith(".old")]


def test_pruning_what_need_not_be_removes_nothing(generations: Generations) -> None:
    assert generations.prune(3) == []
    ids = [add(generations, day) for day in range(2)]
    assert generations.prune(2) == []
    assert len(generations.ids()) == len(ids)


def waits(work: Callable[[], object], meanwhile: Callable[[], None], generations: Generations) -> Future[object]:
    """Start `work` while another one is activating, do `meanwhile`, then let the activation end."""
    with ThreadPoolExecutor(1) as pool, log_of(generations).open("a+b") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        started = pool.submit(work)
        # Without a lock to wait for it would be done by then; with one the result is the same whenever it comes.
        wait([started], timeout=0.3)
        meanwhile()
        fcntl.flock(log, fcntl.LOCK_UN)
    return started


def test_pruning_waits_for_an_activation_and_keeps_what_it_chose(generations: Generations) -> None:
    ids = [add(generations, day) for day in range(4)]
    generations.activate(ids[3], now=NOW)

    def switch() -> None:
        (generations.root / "CURRENT").write_text(ids[0] + "\n", encoding="ascii")

    pruned = waits(lambda: generations.prune(1), switch, generations)

    assert ids[0] in generations.ids()
    assert set(pruned.result()) == {ids[1], ids[2]}  # type: ignore[call-overload]
    assert generations.load(ids[0]).id == ids[0]


def test_what_was_pruned_while_it_was_checked_is_not_activated(generations: Generations) -> None:
    first, second = add(generations, 0), add(generations, 1)
    generations.activate(second, now=NOW)

    def prune() -> None:
        (generations.root / first).rename(generations.root / f".old-{first}")

    activated = waits(lambda: generations.activate(first, now=NOW), prune, generations)

    with pytest.raises(NotFound, match=first):
        activated.result()
    assert generations.current_id() == second
    assert len(generations.activations()) == 1


def activate_many(root: Path, ids: list[str], times: int) -> None:
    generations = Generations(root)
    for at in range(times):
        generations.activate(ids[at % len(ids)], now=NOW)


def test_processes_that_activate_at_once_leave_one_that_loads(generations: Generations) -> None:
    ids = [add(generations, day) for day in range(3)]
    generations.activate(ids[0], now=NOW)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=activate_many, args=(generations.root, ids[turn:] + ids[:turn], 15)) for turn in range(3)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        assert generations.current_id() in ids
        workers[0].join(0.01)
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    entries = generations.activations()
    assert len(entries) == 1 + 3 * 15
    assert generations.current_id() == entries[-1]["id"]
    assert all(entry["previous"] == before["id"] for before, entry in pairwise(entries))
    assert generations.load(str(generations.current_id())).contents.catalogue.n == 12
    assert sorted(path.name for path in generations.root.iterdir()) == sorted([*ids, "CURRENT", "ACTIVATIONS.jsonl", NOTE])


def files_of(generations: Generations, generation_id: str) -> list[Path]:
    return [path for path in (generations.root / generation_id).iterdir() if path.is_file()]


def test_files_that_were_checked_count_as_sound_until_they_are_touched(generations: Generations) -> None:
    first, second = add(generations), add(generations, 1)
    assert not was_checked(generations.root, first, files_of(generations, first)), "writing is not checking"
    generations.activate(first, now=NOW)
    generations.verify(second)
    assert was_checked(generations.root, first, files_of(generations, first))
    assert was_checked(generations.root, second, files_of(generations, second))

    (generations.root / first / "popularity.npy").touch()

    assert not was_checked(generations.root, first, files_of(generations, first))
    assert was_checked(generations.root, second, files_of(generations, second))


def test_a_file_damaged_with_its_times_put_back_is_refused_all_the_same(generations: Generations) -> None:
    only = add(generations)
    generations.activate(only, now=NOW)
    path = generations.root / only / "popularity.npy"
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(CorruptGeneration, match=r"popularity\.npy: has another checksum"):
        generations.load(only)


@pytest.mark.parametrize("note", ["", "{", "[]", '{"other": {}}'])
def test_a_note_that_is_lost_or_damaged_costs_only_another_check(generations: Generations, note: str) -> None:
    only = add(generations)
    generations.activate(only, now=NOW)
    (generations.root / NOTE).write_text(note, encoding="utf-8")

    assert generations.load(only).contents.catalogue.n == 12
    assert was_checked(generations.root, only, files_of(generations, only))


def test_what_is_remembered_goes_with_the_generation(generations: Generations) -> None:
    ids = [add(generations, day) for day in range(4)]
    for generation_id in ids:
        generations.activate(generation_id, now=NOW)
    generations.prune(1)
    generations.verify(ids[-1])

    assert set(json.loads((generations.root / NOTE).read_text())) == set(generations.ids())
