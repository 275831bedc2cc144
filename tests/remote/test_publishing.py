"""Publishing to a remote place: files first, the manifest, then CURRENT; one writer at a time, and none who has lost its turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from published import START, Clock, Machine, contents
from sampling import EXHAUSTIVE
from waiting import soon

from recommender.errors import CorruptGeneration, Locked, NotFound, RefusedGeneration, RemoteError
from recommender.generation import Generations
from recommender.remote.generations import RemoteGenerations
from recommender.remote.lease import LENGTH, LeaseLost, held_lease
from recommender.remote.place import Place
from recommender.remote.writer import CURRENTS, WRITERS, RemoteWriter, Writing
from recommender.store import Store

PLACES = ("file", "memory", "s3")
USUAL = PLACES if EXHAUSTIVE else PLACES[:2]
"""For what takes many calls of an object store, and asks of it what other tests here ask of it as well."""


def damage(place: Place, name: str) -> None:
    """Flip one bit of a file of the place."""
    content = place.read(name)
    assert content is not None
    place.write(name, content[:-1] + bytes([content[-1] ^ 1]))


def test_what_one_machine_publishes_another_one_has(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    assert reader.ids() == []
    assert reader.current_id() is None
    assert reader.follow(now=START) is None

    published = machine().publish(1)

    assert (reader.ids(), reader.current_id()) == ([published], published)
    fetched = reader.follow(now=START)
    assert fetched is not None
    assert fetched.manifest.id == published
    assert (fetched.downloaded, fetched.shared) == (fetched.manifest.size_bytes, 0)
    assert reader.cache.current_id() == published
    assert reader.cache.load(published).contents.popularity.tolist() == [1.0] * 12
    assert reader.follow(now=START) is None


def test_files_come_first_then_the_manifest_then_current(machine: Callable[[], Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    upload, write, replace = Place.upload, Place.write, Place.replace
    monkeypatch.setattr(Place, "upload", lambda self, file, name: (written.append(name), upload(self, file, name))[1])
    monkeypatch.setattr(Place, "write", lambda self, name, content: (written.append(name), write(self, name, content))[1])
    monkeypatch.setattr(
        Place, "replace", lambda self, name, content, seen: (written.append(f"replace {name}"), replace(self, name, content, seen))[1]
    )
    publisher = machine()

    published = publisher.publish(1)

    files = [name for name in written if name not in ("CURRENT", "replace CURRENT")]
    assert files[-1] == f"{published}/manifest.json"
    assert set(files[:-1]) == {f"{published}/{name}" for name in publisher.cache.manifest(published).files}
    assert "replace CURRENT" in written[written.index(files[-1]) :]


def test_a_half_upload_is_no_generation_and_the_next_writer_removes_it(
    machine: Callable[[], Machine], reader: RemoteGenerations, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, killed = machine(), machine()
    before = first.publish(1)
    with monkeypatch.context() as cut, killed.remote.writing("build") as writing:
        cut.setattr(Place, "files", _interrupted)
        half = killed.build(contents(popularity=2.0), minute=2)
        # As by a kill when all files are there, and the manifest is not.
        with pytest.raises(KeyboardInterrupt):
            writing.upload(half)
    assert any(name.startswith(half) for name in reader.place.files())
    assert (reader.ids(), reader.current_id()) == ([before], before)
    with pytest.raises(NotFound, match=f"{half}.*there are: {before}"):
        first.remote.activate(half, now=START)

    after = first.publish(3)

    assert reader.ids() == [after, before]
    assert not any(name.startswith(half) for name in reader.place.files())


def _interrupted(self: Place, folder: str = "") -> dict[str, int]:
    if folder:
        raise KeyboardInterrupt
    return FILES(self)


FILES = Place.files


def test_an_upload_that_was_cut_off_goes_on_with_resume(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    publisher = machine()
    with publisher.remote.writing("build"):
        half = publisher.build(contents(), minute=1)
        name = next(iter(publisher.cache.manifest(half).files))
        publisher.remote.place.upload(publisher.cache.root / half / name, f"{half}/{name}")
    with publisher.remote.writing("build") as writing:
        writing.upload(half)
        writing.activate(half, now=START)
    assert reader.verify(half).id == half


def test_a_second_generation_downloads_only_what_no_other_one_holds(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    publisher = machine()
    first = publisher.publish(1)
    reader.follow(now=START)

    second = publisher.publish(2, popularity=5.0)
    fetched = reader.follow(now=START)

    assert fetched is not None
    old, new = reader.cache.manifest(first), reader.cache.manifest(second)
    theirs = {entry.sha256 for entry in old.files.values()}
    changed = {name: entry.size for name, entry in new.files.items() if entry.sha256 not in theirs}
    assert 0 < len(changed) < 5
    assert fetched.downloaded == sum(changed.values()) < new.size_bytes / 4
    assert fetched.shared == new.size_bytes - fetched.downloaded
    unchanged = next(name for name in new.files if name not in changed)
    one, other = (reader.cache.root / each / unchanged for each in (first, second))
    assert one.stat().st_ino == other.stat().st_ino
    # Neither is read again from the beginning when it is loaded.
    assert {manifest.id for manifest in reader.cache.noted()} == {first, second}


def test_a_file_of_the_cache_that_was_damaged_is_not_shared_but_downloaded(
    machine: Callable[[], Machine], reader: RemoteGenerations
) -> None:
    publisher = machine()
    first = publisher.publish(1)
    reader.follow(now=START)
    shared = reader.cache.root / first / "items.arrow"
    content = shared.read_bytes()
    shared.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    second = publisher.publish(2, popularity=5.0)
    fetched = reader.follow(now=START)

    assert fetched is not None
    assert fetched.downloaded >= len(content)
    assert reader.cache.verify(second).id == second
    with pytest.raises(CorruptGeneration, match=r"items\.arrow"):
        reader.cache.verify(first)


def test_a_damaged_generation_of_the_cache_is_fetched_anew(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    published = machine().publish(1)
    reader.follow(now=START)
    (reader.cache.root / published / "items.arrow").write_bytes(b"")

    again = RemoteGenerations(reader.place, reader.cache)
    fetched = again.follow(now=START)

    assert fetched is not None
    assert fetched.downloaded > 0
    assert reader.cache.verify(published).id == published
    assert sorted(path.name for path in reader.cache.root.iterdir() if path.name[0] != ".") == sorted(
        [published, "ACTIVATIONS.jsonl", "CURRENT"]
    )


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("url", "how"),
    [(place, how) for place in PLACES for how in ("flipped", "cut", "missing") if place in USUAL or how == "missing"],
    indirect=["url"],
)
def test_a_remote_file_that_is_not_what_the_manifest_says_is_named_and_refused(
    how: str, machine: Callable[[], Machine], reader: RemoteGenerations
) -> None:
    publisher = machine()
    good = publisher.publish(1)
    reader.follow(now=START)
    bad = publisher.publish(2, popularity=5.0)
    name = f"{bad}/popularity.npy"
    content = reader.place.read(name)
    assert content is not None
    if how == "flipped":
        damage(reader.place, name)
    elif how == "cut":
        reader.place.write(name, content[:-4])
    else:
        reader.place.remove(name)
    why = {
        "flipped": "another checksum",
        "cut": rf"has {len(content) - 4} bytes, the manifest says {len(content)}",
        "missing": "is missing",
    }[how]

    with pytest.raises(CorruptGeneration, match=f"{bad} is refused: popularity.npy: .*{why}"):
        reader.follow(now=START)
    assert reader.cache.current_id() == good
    assert reader.cache.ids() == [good]
    assert reader.follow(now=START) is None, "it is not tried again before something has changed"
    with pytest.raises(CorruptGeneration, match=f"popularity.npy: .*{why}"):
        reader.verify(bad)
    assert reader.verify(good).id == good
    # A new night repairs it, also where what is active cannot be read.
    assert machine().publish(3, popularity=7.0) == reader.current_id()


def test_a_manifest_that_names_files_elsewhere_is_refused(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    published = machine().publish(1)
    name = f"{published}/manifest.json"
    record = json.loads(reader.place.read(name) or b"")
    record["files"]["../../escaped"] = record["files"]["items.arrow"]
    reader.place.write(name, json.dumps(record).encode())
    with pytest.raises(CorruptGeneration, match=r"names a file '\.\./\.\./escaped'"):
        reader.follow(now=START)


def test_two_writers_at_once_one_publishes_and_the_other_is_told_who(machine: Callable[[], Machine]) -> None:
    first, second = machine(), machine()
    with first.remote.writing("build"):
        with pytest.raises(Locked, match=r"another build is running: process \d+ on"), second.remote.writing("build"):
            pytest.fail("there are two writers")
        with pytest.raises(Locked, match="another build is running"):
            second.remote.prune(1)
    assert second.publish(1) == second.remote.current_id()


def test_a_dead_writers_lease_runs_out(machine: Callable[[], Machine], store: Store, clock: Clock) -> None:
    store.take_lease(WRITERS, owner="process 1 on a machine that burnt down", purpose="build", now=clock(), length=LENGTH)
    other = machine()
    with pytest.raises(Locked, match="burnt down"):
        other.publish(1)
    clock.forward(LENGTH)
    assert other.publish(1) == other.remote.current_id()


def test_a_writer_that_lost_its_lease_publishes_nothing(machine: Callable[[], Machine], clock: Clock, reader: RemoteGenerations) -> None:
    slow, other = machine(), machine()
    with slow.remote.writing("build") as writing:
        late = slow.build(contents(popularity=9.0), minute=9)
        # It sleeps for longer than its lease, and another one works meanwhile.
        clock.forward(LENGTH + timedelta(seconds=1))
        published = other.publish(1)
        with pytest.raises(LeaseLost, match="did not renew its lease in time"):
            writing.upload(late)
        assert reader.ids() == [published]
        with pytest.raises(LeaseLost):
            writing.activate(published, now=START)
        with pytest.raises(LeaseLost):
            writing.prune(1)
    assert reader.current_id() == published
    assert reader.ids() == [published]
    assert late in slow.cache.ids()


def test_a_writer_that_loses_its_lease_after_the_upload_does_not_change_what_is_active(
    machine: Callable[[], Machine], clock: Clock, reader: RemoteGenerations
) -> None:
    slow, other = machine(), machine()
    with slow.remote.writing("build") as writing:
        late = slow.build(contents(popularity=9.0), minute=9)
        writing.upload(late)
        clock.forward(LENGTH + timedelta(seconds=1))
        with other.remote.writing("build"), pytest.raises(LeaseLost):
            writing.activate(late, now=START)
        assert reader.current_id() is None


def test_the_fence_in_current_stops_a_writer_whom_the_store_still_believes(
    machine: Callable[[], Machine], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = machine()
    with publisher.remote.writing("build") as writing:
        built = publisher.build(contents(), minute=1)
        writing.upload(built)
        head = publisher.remote.head()
        publisher.remote.place.write("CURRENT", head.with_(fence=head.fence + 1).content)
        with pytest.raises(LeaseLost, match=f"written by fence {head.fence + 1} now"):
            writing.activate(built, now=START)


def test_who_activates_at_the_same_time_waits_for_the_other_and_nothing_is_lost(machine: Callable[[], Machine]) -> None:
    machines = [machine() for _ in range(3)]
    ids = [machines[0].publish(minute, popularity=float(minute)) for minute in (1, 2, 3)]
    before = len(machines[0].remote.activations())

    def activate(place: int) -> None:
        machines[place].remote.activate(ids[place], now=START)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(activate, range(3)))
    log = machines[0].remote.activations()[before:]
    assert sorted(entry["id"] for entry in log) == sorted(ids)
    assert [entry["previous"] for entry in log] == [ids[-1], *(entry["id"] for entry in log[:-1])]
    assert machines[0].remote.current_id() == log[-1]["id"]


def test_an_operator_may_roll_back_while_a_build_runs(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    publisher, operator = machine(), machine()
    first, second = publisher.publish(1), publisher.publish(2, popularity=2.0)
    with publisher.remote.writing("build") as writing:
        assert operator.remote.rollback(now=START) == (first, second)
        third = publisher.build(contents(popularity=3.0), minute=3)
        writing.upload(third)
        assert writing.activate(third, now=START) == first
    reader.follow(now=START)
    assert reader.cache.current_id() == third
    assert [entry["rollback"] for entry in reader.activations()] == [False, False, True, False]


@pytest.mark.sampled
@pytest.mark.parametrize("url", USUAL, indirect=True)
def test_two_rollbacks_go_back_two_steps(machine: Callable[[], Machine]) -> None:
    publisher = machine()
    ids = [publisher.publish(minute, popularity=float(minute)) for minute in (1, 2, 3)]
    assert machine().remote.rollback(now=START) == (ids[1], ids[2])
    assert machine().remote.rollback(now=START) == (ids[0], ids[1])
    with pytest.raises(NotFound, match="nothing earlier"):
        publisher.remote.rollback(now=START)


@pytest.mark.sampled
@pytest.mark.parametrize("url", USUAL, indirect=True)
def test_a_generation_that_its_gate_refused_needs_a_reason(machine: Callable[[], Machine]) -> None:
    publisher = machine()
    with publisher.remote.writing("build") as writing:
        refused = publisher.build(contents(), minute=1, passed=False)
        writing.upload(refused)
    with pytest.raises(RefusedGeneration, match="far too small"):
        machine().remote.activate(refused, now=START)
    assert machine().remote.activate(refused, now=START, reason="a demonstration") is None
    assert publisher.remote.activations()[-1]["reason"] == "a demonstration"


def test_pruning_leaves_the_active_one_and_the_one_to_go_back_to(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    publisher = machine()
    ids = [publisher.publish(minute, popularity=float(minute), keep=10) for minute in (1, 2, 3, 4, 5)]
    publisher.remote.activate(ids[0], now=START)
    # The newest is the one to go back to.
    assert publisher.remote.to_prune(1) == [ids[3], ids[2], ids[1]]

    assert publisher.remote.prune(1) == [ids[3], ids[2], ids[1]]

    assert reader.ids() == [ids[4], ids[0]]
    assert {name.partition("/")[0] for name in reader.place.files()} == {*reader.ids(), "CURRENT"}
    assert publisher.remote.rollback(now=START) == (ids[4], ids[0])


def test_a_generation_that_is_being_removed_cannot_be_activated(
    machine: Callable[[], Machine], reader: RemoteGenerations, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, operator = machine(), machine()
    ids = [publisher.publish(minute, popularity=float(minute), keep=10) for minute in (1, 2, 3)]

    def interrupted(self: Writing, generation_id: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(Writing, "_remove", interrupted)
        with pytest.raises(KeyboardInterrupt):
            publisher.remote.prune(1)
    with pytest.raises(NotFound, match=ids[0]):
        operator.remote.activate(ids[0], now=START)
    # Whoever writes next goes on with it.
    assert operator.remote.prune(1) == []
    assert reader.ids() == [ids[2], ids[1]]
    assert not any(name.startswith(ids[0]) for name in reader.place.files())


@pytest.mark.sampled
@pytest.mark.parametrize("url", USUAL, indirect=True)
def test_the_cache_keeps_the_last_few(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    publisher = machine()
    ids = []
    for minute in range(1, 7):
        ids.append(publisher.publish(minute, popularity=float(minute), keep=10))
        reader.follow(now=START)
    assert reader.cache.ids() == ids[:-4:-1]
    assert len(reader.ids()) == 6
    assert not list(reader.cache.root.glob(".gone-*"))
    assert not list(reader.cache.root.glob(".fetch-*"))


def test_current_of_another_program_is_told(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    reader.place.write("CURRENT", b"20260101T000000-00000000\n")
    with pytest.raises(RemoteError, match=r"CURRENT of .* cannot be read"):
        reader.follow(now=START)
    with pytest.raises(RemoteError, match=r"CURRENT of .* cannot be read"):
        machine().publish(1)


def test_a_lease_is_renewed_while_its_block_runs_and_given_back_at_its_end(store: Store, clock: Clock) -> None:
    length = timedelta(seconds=0.2)

    def until() -> datetime:
        lease = store.lease("generations")
        assert lease is not None
        return lease.until

    with held_lease(store, "generations", "build", clock, length=length) as held:
        clock.forward(timedelta(minutes=5))
        assert soon(lambda: until() == clock() + length)
        assert store.lease("generations") == replace(held.lease, until=clock() + length)
    assert until() == datetime(1970, 1, 1, tzinfo=UTC)


def test_whoever_died_in_the_turn_to_change_current_keeps_others_away_for_moments_only(
    machine: Callable[[], Machine], store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = machine()
    published = publisher.publish(1)
    store.take_lease(CURRENTS, owner="process 1 on nowhere", purpose="activation", now=clock(), length=timedelta(seconds=10))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.forward(timedelta(seconds=seconds))

    monkeypatch.setattr("recommender.remote.writer.time.sleep", wait)
    publisher.remote.activate(published, now=START)
    assert 9 < sum(waits) < 11


def test_a_cache_alone_is_a_folder_of_generations_as_any_other(machine: Callable[[], Machine], reader: RemoteGenerations) -> None:
    published = machine().publish(1)
    reader.follow(now=START)
    alone = Generations(reader.cache.root)
    assert (alone.ids(), alone.current_id()) == ([published], published)
    assert alone.load(published).id == published
    assert isinstance(machine().remote, RemoteWriter)
