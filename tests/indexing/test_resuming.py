"""A build that was killed, as by `kill -9`, goes on where it was, and comes to what it would have come to."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from worlds import NOW, QUICK, watched

from indexing.building import Outcome, reindex
from indexing.checkpoint import BUILDING
from indexing.progress import Lines
from recommender.errors import InvalidInput, RecommenderError
from recommender.events import Consent
from recommender.generation import Generations
from recommender.generation.build_progress import BuildState, read_progress
from recommender.placements import Placement, Placements
from recommender.profile import BuildSettings, Gate, load_build_settings
from recommender.settings import Settings
from recommender.store import open_store

STAGES = (
    *("read", "embed", "index vectors", "judge a twin", "learn", "index words", "export the query encoder"),
    *("list what is alike", "check", "publish"),
)
HOME = Placement(name="home")

JUDGED = """
judging = { fewest = 5 }
blending = { fewest = 10, cuts = 1 }
content = { exact_limit = 20, near = 5 }
"""
"""A blend is learnt, so that there are lists of what is alike."""


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "build.toml"
    path.write_text(JUDGED)
    return path


class Build:
    """Builds in this process, one after the other, and what they tell."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.told: list[str] = []

    def __call__(self, *, build: BuildSettings = QUICK, placement: Placement = HOME, after: float = 0, **more: Any) -> Outcome:
        stream = StringIO()
        try:
            return reindex(self.settings, build, placement, Lines(stream), now=NOW + timedelta(hours=after), **more)
        finally:
            lines = [json.loads(line) for line in stream.getvalue().splitlines()]
            self.told = [line["message"] for line in lines if line["state"] == "told"]

    def killed(self, stage: str, **more: Any) -> None:
        """A build that breaks off as soon as `stage` begins, and leaves what a kill would."""

        class Killed(BaseException):
            pass

        class Breaking(Lines):
            def stage(self, name: str) -> Any:
                if name == stage:
                    raise Killed
                return super().stage(name)

        given = {"build": QUICK, "placement": HOME, **more}
        with pytest.raises(Killed):
            reindex(self.settings, given["build"], given["placement"], Breaking(StringIO()), now=NOW)

    @property
    def left(self) -> set[str]:
        folder = self.settings.generations_path / BUILDING
        return {path.name for path in folder.iterdir()} if folder.exists() else set()


def digests(settings: Settings, generation_id: str) -> dict[str, str]:
    manifest = Generations(settings.generations_path).verify(generation_id)
    return {name: entry.sha256 for name, entry in manifest.files.items()}


@pytest.fixture
def build(modelless: Callable[..., Settings]) -> Build:
    return Build(modelless())


@pytest.mark.parametrize("with_parent", [False, True], ids=["first", "second"])
def test_a_build_killed_in_any_stage_comes_to_the_same_generation(
    modelless: Callable[..., Settings], warm: Any, settings_file: Path, tmp_path: Path, with_parent: bool
) -> None:
    pristine, build = modelless(), load_build_settings(settings_file)
    placement = Placements.default().get("")
    if with_parent:
        # Other settings are fitted to the same cut.
        reindex(pristine, build.model_copy(update={"half_life_days": 9.0}), placement, Lines(StringIO()), now=NOW, force="to compare with")
    # A build that is killed in one stage after the other is resumed as often.
    data = tmp_path / "killed"
    shutil.copytree(pristine.data, data)
    arguments = ("reindex", "--data", data, "--build", settings_file)
    finished: list[str] = []
    for place, stage in enumerate(STAGES):
        run = warm.start(*arguments, *(["--resume"] if place else []))
        run.follow(stage)
        run.signal(signal.SIGKILL)
        code = run.wait()
        # The kill may come when the stage, or a short one behind it, has ended.
        assert code == -signal.SIGKILL or stage == "publish"
        progress = read_progress(Settings(data=data).generations_path)
        assert progress is not None
        if code == -signal.SIGKILL:
            assert progress.state is BuildState.DIED
            again = [took.name for took in progress.finished if not took.resumed]
            assert not set(again) & set(finished), "a finished stage was done again"
            finished += again
    settings = Settings(data=data)
    if code:
        code, run = warm.run(*arguments, "--resume")
        assert (code, run.rest) == (0, [])
    generations = Generations(settings.generations_path)
    current = generations.current_id()
    assert current is not None
    manifest = generations.manifest(current)
    expected = reindex(pristine, build, placement, Lines(StringIO()), now=manifest.created_at, force="compare")
    assert manifest == expected.manifest
    assert digests(settings, manifest.id) == digests(pristine, expected.manifest.id)
    assert not (settings.generations_path / BUILDING).exists()


@pytest.fixture(scope="module")
def whole(modelless: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A build that nobody killed."""
    path = tmp_path_factory.mktemp("settings") / "build.toml"
    path.write_text(JUDGED)
    return Build(modelless())(build=load_build_settings(path), placement=Placements.default().get(""))


@pytest.mark.parametrize("stage", STAGES[1:])
def test_what_is_read_back_is_what_was_made(modelless: Callable[..., Settings], settings_file: Path, whole: Outcome, stage: str) -> None:
    build, placement, expected = load_build_settings(settings_file), Placements.default().get(""), whole
    killed = Build(modelless())
    killed.killed(stage, build=build, placement=placement)

    resumed = killed(build=build, placement=placement, resume=True, after=5)

    # The manifest holds the digest of every file.
    assert resumed.manifest == expected.manifest
    digests(killed.settings, resumed.manifest.id)
    assert [took.name for took in resumed.stages if took.resumed] == list(STAGES[: STAGES.index(stage)])
    assert [took.name for took in resumed.stages] == list(STAGES)
    assert resumed.twin.comparison is not None
    assert expected.twin.comparison is not None
    ours, theirs = (report.twin.comparison.p_values() for report in (resumed, expected) if report.twin.comparison)
    assert ours == theirs
    assert killed.left == set()


def test_events_and_items_that_came_after_the_kill_are_left_to_the_next_night(build: Build) -> None:
    build.killed("embed")
    with open_store(build.settings.store_path) as store:
        store.record_events([watched("late", "film-3", NOW)], now=NOW, consent_default=Consent.ALL)
        item = store.get_items(["film-5"])[0].item
        store.upsert_items([replace(item, title="Another title"), replace(item, id="film-new")], now=NOW)
    outcome = build(resume=True, after=5)
    assert (outcome.manifest.items, outcome.manifest.events) == (60, 480)
    assert outcome.manifest.created_at == NOW
    later = build(after=6)
    assert (later.manifest.items, later.manifest.events) == (61, 481)
    assert later.manifest.watermark > outcome.manifest.watermark


def test_a_build_that_was_killed_while_it_read_reads_to_the_same_point(build: Build) -> None:
    build.killed("read")
    with open_store(build.settings.store_path) as store:
        store.record_events([watched("late", "film-3", NOW)], now=NOW, consent_default=Consent.ALL)
    assert build(resume=True).manifest.events == 480


def test_without_resume_what_was_left_is_thrown_away_and_that_is_told(build: Build) -> None:
    build.killed("judge a twin")
    assert build.left == {"begun.json", "read", "index vectors"}
    outcome = build(after=5)
    assert build.told == ["what a killed build left is thrown away (index vectors, read); --resume would have gone on with it"]
    assert outcome.manifest.created_at == NOW + timedelta(hours=5)
    assert not any(took.resumed for took in outcome.stages)
    assert build.left == set()


def test_there_is_never_more_than_one_checkpoint(build: Build) -> None:
    for _ in range(3):
        build.killed("learn")
    assert build.left == {"begun.json", "read", "index vectors", "judge a twin"}
    hidden = {path.name for path in build.settings.generations_path.iterdir() if path.name.startswith(".")}
    assert hidden == {BUILDING, ".writer.lock", ".build.json"}


def test_resuming_where_nothing_was_killed_builds_anew(build: Build) -> None:
    assert build(resume=True).activated
    assert build.told == ["there is no killed build to go on with; beginning anew"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"build": QUICK.model_copy(update={"seed": 1})}, "it was begun with build settings "),
        ({"build": QUICK.model_copy(update={"gate": Gate(least_kept=0.1)})}, "it was begun with bounds of the gate "),
        ({"placement": HOME.model_copy(update={"candidates": 50})}, "it was begun with placement home "),
    ],
    ids=["settings", "gate", "placement"],
)
def test_a_checkpoint_of_other_inputs_is_not_gone_on_with(build: Build, changed: dict[str, Any], why: str) -> None:
    build.killed("learn")
    outcome = build(resume=True, after=5, **changed)
    assert build.told[0].startswith(f"cannot go on with a killed build: {why}")
    assert build.told[0].endswith("; beginning anew")
    assert outcome.manifest.created_at == NOW + timedelta(hours=5)
    assert not any(took.resumed for took in outcome.stages)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("libraries", {"numpy": "1.0"}, "now installed: "),
        ("format", 0, "what it left is of format 0, now given: 1"),
        ("watermark", 10**6, "it read the store up to change 1000000, and the store is at "),
        ("active", "20200101T000000-00000000", "it was begun while 20200101T000000-00000000 was active, and now none is"),
        ("unknown", 1, "begun.json cannot be read, or another release wrote it"),
    ],
)
def test_a_checkpoint_of_another_program_or_store_is_not_gone_on_with(build: Build, field: str, value: object, why: str) -> None:
    build.killed("learn")
    path = build.settings.generations_path / BUILDING / "begun.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    outcome = build(resume=True)
    assert why in build.told[0]
    assert not any(took.resumed for took in outcome.stages)


def test_a_damaged_stage_is_done_again_and_the_others_are_not(build: Build) -> None:
    build.killed("learn")
    path = build.settings.generations_path / BUILDING / "judge a twin" / "structure.json"
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    outcome = build(resume=True)
    assert [took.name for took in outcome.stages if took.resumed] == ["read", "embed", "index vectors"]
    assert "what 'judge a twin' left cannot be read (structure.json has another checksum than the manifest says)" in build.told[1]


def test_a_build_that_failed_can_be_gone_on_with_once_the_cause_is_gone(build: Build) -> None:
    with breaking(build):
        build()
    outcome = build(resume=True)
    assert outcome.activated
    assert [took.name for took in outcome.stages if not took.resumed] == ["publish"]


def test_a_build_that_fails_again_is_not_gone_on_with_for_ever(build: Build) -> None:
    # What it has read may be the cause, and another night reads anew.
    with breaking(build):
        build()
    with breaking(build):
        build(resume=True)
    assert build.left == set()
    outcome = build(resume=True, after=5)
    assert build.told == ["there is no killed build to go on with; beginning anew"]
    assert outcome.manifest.created_at == NOW + timedelta(hours=5)


@contextmanager
def breaking(build: Build) -> Iterator[None]:
    """Within, no build can be activated, and the block ends with the error that says so."""
    log = build.settings.generations_path / "ACTIVATIONS.jsonl"
    log.mkdir(parents=True)
    with pytest.raises(RecommenderError, match=r"cannot write the active generation's name below .*Is a directory"):
        yield
    log.rmdir()


def test_a_build_killed_after_it_was_published_has_nothing_left_to_do(build: Build) -> None:
    # As if the kill came between the activation and the removal of the checkpoint.
    build.killed("publish")
    kept = build.settings.data / "kept"
    shutil.copytree(build.settings.generations_path / BUILDING, kept)
    first = build(resume=True)
    shutil.copytree(kept, build.settings.generations_path / BUILDING)
    added = build.settings.generations_path / BUILDING / "added"
    added.mkdir()
    (added / "id.json").write_text(json.dumps(first.manifest.id))
    (added / "files.json").write_text("{}")

    again = build(resume=True, after=9)

    assert again.manifest == first.manifest
    assert len(Generations(build.settings.generations_path).activations()) == 1
    assert build.left == set()


def test_an_empty_catalogue_leaves_nothing_that_stands_in_the_way(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.sqlite", create=True):
        pass
    build = Build(Settings(data=tmp_path))
    for _ in range(2):
        with pytest.raises(InvalidInput, match="no items"):
            build()
