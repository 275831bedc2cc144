"""`recommender import … --live`: files that go to a running server, and count with the next feed."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from waiting import soon

from indexing.importing.command import import_group
from indexing.importing.delivery import Delivery
from indexing.importing.import_live import interruptible
from indexing.importing.targets import Written
from indexing.progress import Lines
from recommender.cli import run
from recommender.client import Client
from recommender.errors import Undelivered
from recommender.events import Event, EventType, Subject
from recommender.items import Item, ItemKind
from recommender.segments import Base, Delta, Segments

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World

NOW = datetime.now(UTC)
AN_HOUR_AGO = (NOW - timedelta(hours=1)).isoformat()


def written(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def clicks(count: int, *, item: str = "comedy-00") -> list[dict[str, object]]:
    """Events without ids, one a second."""
    start = NOW - timedelta(days=2)
    return [
        {"type": "click", "user_id": f"u{n % 50}", "item_id": item, "at": (start + timedelta(seconds=n)).isoformat()} for n in range(count)
    ]


def command(*arguments: object) -> int:
    return run([str(argument) for argument in arguments], import_group)


def sent(what: str, live: Deployment, file: Path, *more: object) -> int:
    """Import `file` into the running server; the exit code."""
    address = live.server.addresses.admin_listen if what == "items" else live.server.addresses.listen
    return command(what, file, "--data", live.world.data, *more, "--live", address)


def stored_events(world: World) -> int:
    with world.open() as store:
        return store.counts().events


def test_items_and_events_sent_to_a_server_count_in_the_next_feeds(
    live: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = written(tmp_path / "items.jsonl", [{"id": "new", "kind": "media", "title": "New", "embedding": [1, 0, 0, 0.01]}])
    events = written(tmp_path / "events.jsonl", [{"type": "dislike", "user_id": "ann", "item_id": "comedy-00", "at": AN_HOUR_AGO}])
    assert "comedy-00" in live.ids(user="ann", page_size=60)

    assert sent("items", live, items) == 0
    assert sent("events", live, events) == 0

    assert capsys.readouterr().out.splitlines() == [
        "items: 1 rows read, 1 created, 0 updated, 0 unchanged, 0 superseded",
        "events: 1 rows read, 1 accepted, 0 duplicates",
    ]
    assert "comedy-00" not in live.ids(user="ann", page_size=60)
    assert soon(lambda: "new" in live.ids(user="ann", page_size=60))


def test_what_was_sent_counts_once_however_it_is_imported_again(
    live: Deployment, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = written(tmp_path / "items.jsonl", [{"id": f"new-{n}", "kind": "media", "title": f"New {n}"} for n in range(1_500)])
    events = written(tmp_path / "events.jsonl", [*clicks(2_300), {**clicks(1)[0], "at": AN_HOUR_AGO, "id": "own"}, *clicks(2)])

    for again in (sent, sent, lambda what, live, file: command(what, file, "--data", live.world.data)):
        assert again("items", live, items) == 0
        assert again("events", live, events) == 0

    assert capsys.readouterr().out.splitlines() == [
        "items: 1,500 rows read, 1,500 created, 0 updated, 0 unchanged, 0 superseded",
        "events: 2,303 rows read, 2,301 accepted, 2 duplicates",
        *2
        * [
            "items: 1,500 rows read, 0 created, 0 updated, 1,500 unchanged, 0 superseded",
            "events: 2,303 rows read, 0 accepted, 2,303 duplicates",
        ],
    ]
    assert stored_events(world) == 2_301


def test_rows_that_the_server_refuses_are_reported_by_line_and_reason(
    live: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = clicks(5)
    rows[1]["item_id"], rows[3]["item_id"] = "gone", "lost"
    rows[2]["type"] = "stare"
    rows[4]["token"] = "forged"
    rejects = tmp_path / "rejects.jsonl"

    assert sent("events", live, written(tmp_path / "events.jsonl", rows), "--max-rejects", 4, "--rejects", rejects, "--json") == 0

    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"accepted": 1, "duplicates": 0}
    assert sorted(report["reasons"].values()) == [1, 1, 2]
    told = {row["line"]: row["reason"] for row in map(json.loads, rejects.read_text().splitlines())}
    assert told.keys() == {2, 3, 4, 5}
    assert told[2].startswith("item_id: given 'gone', allowed: ")
    assert told[3].startswith("type: given 'stare', allowed: ")
    assert told[5].startswith("token: given 'a damaged token', allowed: ")


def test_a_server_that_refuses_too_many_rows_is_not_sent_the_rest(
    live: Deployment, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "events.jsonl", [*clicks(100), *clicks(100, item="nowhere"), *clicks(300)[100:]])

    assert sent("events", live, file, "--batch", 50) == 1

    [told] = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
    assert told.startswith("error: 50 of 400 rows are bad, more than the allowed 1 % of the rows; 100 good rows were written before, see ")
    assert stored_events(world) == 100


def test_bad_rows_that_can_be_told_here_stop_an_import_before_anything_is_sent(
    live: Deployment, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = (NOW + timedelta(days=1)).isoformat()
    file = written(tmp_path / "events.jsonl", [*clicks(10), {**clicks(1)[0], "at": late}])

    assert sent("events", live, file) == 1
    assert "nothing was imported" in capsys.readouterr().err
    assert sent("events", live, file, "--max-rejects", 1, "--dry-run") == 0
    assert "10 would be written (dry run)" in capsys.readouterr().out
    assert stored_events(world) == 0


def test_events_in_columns_are_sent_as_those_in_lines(live: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{**row, "at": datetime.fromisoformat(str(row["at"]))} for row in clicks(20)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "events.parquet")

    assert sent("events", live, tmp_path / "events.parquet") == 0
    assert sent("events", live, written(tmp_path / "events.jsonl", clicks(20))) == 0
    assert capsys.readouterr().out.splitlines() == [
        "events: 20 rows read, 20 accepted, 0 duplicates",
        "events: 20 rows read, 0 accepted, 20 duplicates",
    ]


def test_waiting_ends_when_the_watcher_has_brought_the_words(
    live: Deployment, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = written(tmp_path / "items.jsonl", [{"id": f"new-{n}", "kind": "media", "title": f"New {100 + n}"} for n in range(3)])
    ended: list[int] = []
    waiting = threading.Thread(target=lambda: ended.append(sent("items", live, items, "--wait")))
    waiting.start()
    assert soon(lambda: len(live.client.get_items(["new-0", "new-1", "new-2"]).items) == 3)
    time.sleep(0.5)
    assert waiting.is_alive()
    assert not any(item.ready for item in live.client.get_items(["new-0", "new-1", "new-2"]).items)

    current = world.generations.current_id()
    manifest = world.generations.manifest(str(current))
    with world.open() as store:
        stored, upto = store.get_items(["new-0", "new-1", "new-2"]), store.change_sequence()
    vectors = np.tile(np.array([1, 0, 0, 0], dtype=np.float32), (3, 1))
    delta = Delta.of([(each.number, each.state, each.item) for each in stored], vectors, dimension=4)
    Segments(world.data / "deltas", Base.of(manifest)).add(delta, manifest.watermark + 1, upto)
    waiting.join(60)

    assert ended == [0]
    assert {f"new-{n}" for n in range(3)} <= {item.id for item in live.client.get_similar(["comedy-01"], page_size=60).items}
    assert "3 created" in capsys.readouterr().out


def test_an_item_is_ready_until_its_words_change_and_at_once_where_it_has_none(live: Deployment) -> None:
    def ready(item_id: str) -> bool:
        [stored] = live.client.get_items([item_id]).items
        return stored.ready

    assert ready("comedy-00")
    live.client.upsert_items([Item(id="comedy-00", kind=ItemKind.MEDIA, title="Another title"), Item(id="bare", kind=ItemKind.MEDIA)])
    assert soon(lambda: ready("bare"))
    assert not ready("comedy-00")
    assert ready("comedy-01")


def test_waiting_tells_what_is_missing(serve: Serve, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = serve()
    items = written(tmp_path / "items.jsonl", [{"id": "wordy", "kind": "media", "title": "New"}])
    silent = written(tmp_path / "silent.jsonl", [{"id": "silent", "kind": "media", "embedding": [1, 0, 0, 0.01]}])

    assert sent("items", live, items, "--wait=0.3") == 1
    assert "1 of 1 items are not recommendable 0.3 s later: no generation is active" in capsys.readouterr().err

    world.publish(upto=_items_before(world))
    assert soon(lambda: live.server.live.engine is not None)
    assert sent("items", live, items, "--wait=0.3") == 1
    told = capsys.readouterr().err
    assert "does `recommender watch` run" in told
    assert "1 rows were acknowledged and stay" in told
    assert sent("items", live, silent, "--wait") == 0


def _items_before(world: World) -> int:
    """The change after which the test began."""
    with world.open() as store:
        return store.change_sequence() - 1


def test_a_server_that_is_not_there_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        file = written(tmp_path / "events.jsonl", clicks(1))

        assert command("events", file, "--data", tmp_path, "--live", address) == 1

    [told] = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
    assert told.startswith(f"error: no server at {address} serves recommender.v1.EventService: ")


def test_items_sent_to_the_front_ends_address_are_told_of_the_other_one(
    live: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "items.jsonl", [{"id": "new", "kind": "media"}])

    assert command("items", file, "--data", tmp_path, "--live", live.server.addresses.listen) == 1
    assert "is it the other one of its two addresses?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("--live", "nowhere"), "--live: given 'nowhere', allowed: host:port"), (("--wait",), "--wait waits for a running server")],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "items.jsonl", [{"id": "new", "kind": "media"}])

    assert command("items", file, "--data", tmp_path, *arguments) == 2
    assert told in capsys.readouterr().err


def test_a_server_that_is_away_for_a_while_is_waited_for(serve: Serve, world: World) -> None:
    first = serve()
    address, admin = first.server.addresses.listen, first.server.addresses.admin_listen
    shown = io.StringIO()
    made = [
        Event(id=f"e{n}", type=EventType.CLICK, subject=Subject.user("u"), item_id="comedy-00", at=NOW - timedelta(seconds=n))
        for n in range(3_000)
    ]
    with Client(address, admin, timeout_s=2) as client:
        delivery = Delivery(client, address, Lines(shown))
        first.server.stop()
        done: list[object] = []
        sending = threading.Thread(
            target=lambda: done.extend([delivery.events(made).counts, delivery.items([Item(id="new", kind=ItemKind.MEDIA)]).counts])
        )
        sending.start()
        time.sleep(2)
        assert not done
        serve(listen=address, admin_listen=admin)
        sending.join(60)

    assert done == [{"accepted": 3_000}, {"created": 1}]
    assert stored_events(world) == 3_000


def test_a_server_that_stays_away_is_given_up(serve: Serve) -> None:
    server = serve()
    address = server.server.addresses.listen
    with Client(address, timeout_s=2) as client:
        delivery = Delivery(client, address, Lines(io.StringIO()), patience_s=0.1)
        server.server.stop()
        event = Event(id="e", type=EventType.CLICK, subject=Subject.user("u"), item_id="comedy-00", at=NOW)
        with pytest.raises(Undelivered, match=rf"the server at {address} does not take them: .* \(UNAVAILABLE\)"):
            delivery.events([event])
    assert delivery.delivered == 0


def test_an_interrupt_that_is_lost_in_a_call_ends_the_import_before_the_next_one() -> None:
    sent: list[str] = []

    def put(rows: Sequence[str]) -> Written:
        sent.extend(rows)
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return Written(Counter(), {})

    before = signal.getsignal(signal.SIGINT)
    with interruptible(put) as sending:
        sending(["a"])
        with pytest.raises(KeyboardInterrupt):
            sending(["b"])
    assert sent == ["a"]
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupted_it_says_how_far_it_came_and_the_same_again_goes_on(live: Deployment, world: World, tmp_path: Path) -> None:
    # More than is sent while a busy machine does not look.
    count = 30_000
    file = written(tmp_path / "events.jsonl", clicks(count))
    arguments = ["import", "events", str(file), "--data", str(world.data), "--batch", "20", "--live", live.server.addresses.listen]
    process = subprocess.Popen(
        [sys.executable, "-m", "recommender", *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    # A second batch is not sent before the first was acknowledged.
    assert soon(lambda: stored_events(world) >= 40)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)

    assert process.returncode == 130
    last = json.loads([line for line in told.splitlines() if line][-1])["message"]
    assert last.endswith(" rows were acknowledged and stay; the same import again counts none of them twice")
    acknowledged = int(last.removeprefix("interrupted: ").split()[0].replace(",", ""))
    assert 20 <= acknowledged <= stored_events(world) < count
    assert sent("events", live, file) == 0
    assert stored_events(world) == count
