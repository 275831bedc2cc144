"""Batch export: everybody's feed in one file, the same that a server serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from waiting import soon

from indexing.export_command import TERMINATED, export_group
from recommender.cli import run
from recommender.errors import InvalidInput, Locked, NoGeneration, RecommenderError
from recommender.events import Consent, EventType, SubjectKind
from recommender.export import feeds as exporting
from recommender.export.feeds import Exported, export_feeds
from recommender.items import Item, ItemKind, ItemState
from recommender.placements import Placement
from recommender.settings import Settings

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, World

HOME = Placement(name="home")
UNUSUAL = "Zoë 🦊 \u202e\u05e7\u05d5\u05e8\u05d0"


def exported(world: World, output: Path, **more: object) -> tuple[Exported, list[dict[str, object]]]:
    given = {"now": datetime.now(UTC), "size": 10, **more}
    done = export_feeds(Settings(data=world.data), HOME, output, **given)  # type: ignore[arg-type]
    return done, pq.read_table(output).to_pylist()


def act(live: Deployment, people: int = 7) -> None:
    """Some people of each taste, one with an unusual id, and somebody who does not want to be personalised."""
    for person in range(people):
        taste = ("comedy", "drama", "news")[person % 3]
        for place in range(1 + person % 4):
            live.act(f"{taste}-{place:02}", user=f"person-{person}")
    live.act("drama-11", EventType.DISLIKE, user=UNUSUAL)
    live.act("comedy-03", user=UNUSUAL)
    live.act("drama-05", user="private", consent=Consent.TRAIN)
    live.act("news-02", session="visitor")
    # By now popular is what they took up, here as in an export.
    live.server.live.count()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_export_holds_the_feeds_that_a_server_serves(
    live: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    act(live)
    live.client.set_state(["comedy-00"], ItemState.HIDDEN)
    live.client.upsert_items([Item(id="new", kind=ItemKind.MEDIA, title="New", published_at=datetime.now(UTC))])
    assert soon(lambda: "new" in live.ids(user="person-1", page_size=60))
    # Several spans and row groups, so that their order counts.
    monkeypatch.setattr(exporting, "SPAN", 2)
    monkeypatch.setattr(exporting, "ROW_GROUP", 3)

    done, rows = exported(live.world, tmp_path / "feeds.parquet", kind=None, workers=workers)

    assert [row["id"] for row in rows] == [*(f"person-{person}" for person in range(7)), UNUSUAL, "private", "visitor"]
    assert done.feeds == len(rows)
    assert pq.ParquetFile(tmp_path / "feeds.parquet").num_row_groups > 1
    for row in rows:
        who = {row["kind"]: row["id"]}
        served = live.client.get_feed(**who, page_size=10)  # type: ignore[arg-type]
        assert row["item_ids"] == [item.id for item in served.items]
        assert row["scores"] == pytest.approx([item.score for item in served.items], rel=1e-3)
        assert row["basis"] == served.basis.name.lower()
        assert (row["generation_id"], row["placement"]) == (served.generation_id, served.placement)
        assert row["placement_version"] == HOME.version
        assert row["degraded"] == []
        assert len(row["sources"]) == len(row["item_ids"])  # type: ignore[arg-type]


def test_two_processes_write_what_one_writes(live: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    act(live)
    monkeypatch.setattr(exporting, "SPAN", 2)
    now = datetime.now(UTC)

    (_, alone), (_, shared) = (exported(live.world, tmp_path / f"{n}.parquet", workers=n, now=now) for n in (1, 2))

    assert alone == shared


def test_who_does_not_allow_to_be_personalised_gets_what_everybody_gets_or_no_row(live: Deployment, tmp_path: Path) -> None:
    act(live)

    _, everybody = exported(live.world, tmp_path / "all.parquet")
    _, consenting = exported(live.world, tmp_path / "consenting.parquet", consenting_only=True)

    [private] = [row for row in everybody if row["id"] == "private"]
    assert private["basis"] == "contextual"
    assert "drama-05" in private["item_ids"] or len(private["item_ids"]) == 10  # type: ignore[arg-type, operator]
    assert private["item_ids"] == [item.id for item in live.client.get_feed(user="never seen", page_size=10).items]
    assert [row["id"] for row in consenting] == [row["id"] for row in everybody if row["id"] != "private"]


def test_consent_that_was_never_given_is_that_of_the_deployment(live: Deployment, tmp_path: Path) -> None:
    live.act("drama-11", user="ann")
    settings = Settings(data=live.world.data, consent_default="none")

    export_feeds(settings, HOME, tmp_path / "feeds.parquet", now=datetime.now(UTC), size=5)

    [row] = pq.read_table(tmp_path / "feeds.parquet").to_pylist()
    assert row["basis"] == "contextual"


def test_only_the_kind_of_people_that_is_asked_for_is_exported(live: Deployment, tmp_path: Path) -> None:
    act(live)

    _, rows = exported(live.world, tmp_path / "feeds.parquet", kind=SubjectKind.SESSION)

    assert [(row["kind"], row["id"], row["basis"]) for row in rows] == [("session", "visitor", "session")]


def test_filter_language_and_size_limit_every_feed(live: Deployment, tmp_path: Path) -> None:
    act(live)

    _, rows = exported(live.world, tmp_path / "feeds.parquet", size=3, filter="price >= 2.0", language="de")

    assert all(set(row["item_ids"]) <= {"news-03", "news-05"} for row in rows)  # type: ignore[call-overload]
    assert any(row["item_ids"] for row in rows)


def test_a_store_without_people_gives_a_file_without_rows(live: Deployment, tmp_path: Path) -> None:
    done, rows = exported(live.world, tmp_path / "feeds.parquet")

    assert (done.feeds, rows) == (0, [])
    assert pq.read_schema(tmp_path / "feeds.parquet").names[:3] == ["id", "kind", "item_ids"]


def test_without_a_generation_nothing_is_written_and_the_error_says_what_to_do(world: World, tmp_path: Path) -> None:
    with pytest.raises(NoGeneration, match="recommender reindex"):
        exported(world, tmp_path / "feeds.parquet")

    assert list(tmp_path.glob("*feeds*")) == []


@pytest.mark.parametrize(("more", "message"), [({"size": 0}, "1 to 500"), ({"filter": "price >"}, "filter")])
def test_what_is_not_allowed_leaves_an_earlier_file_as_it_is(
    live: Deployment, tmp_path: Path, more: dict[str, object], message: str
) -> None:
    act(live)
    (tmp_path / "feeds.parquet").write_text("yesterday's")

    with pytest.raises(InvalidInput, match=message):
        exported(live.world, tmp_path / "feeds.parquet", **more)

    assert (tmp_path / "feeds.parquet").read_text() == "yesterday's"
    assert [path.name for path in tmp_path.glob("*feeds*")] == ["feeds.parquet"]


def test_a_full_disk_is_told_and_leaves_nothing(live: Deployment, tmp_path: Path) -> None:
    act(live)
    program = (
        "import resource, signal, sys; from datetime import *; from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from recommender.export.feeds import export_feeds; from recommender.placements import Placement\n"
        "from recommender.settings import Settings\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "export_feeds(Settings(data=Path(sys.argv[1])), Placement(name='home'), Path(sys.argv[2]), now=datetime.now(UTC), size=10)\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", program, str(live.world.data), str(tmp_path / "feeds.parquet")], capture_output=True, text=True
    )

    assert "RecommenderError: cannot write" in result.stderr
    assert "File too large" in result.stderr
    assert list(tmp_path.glob("*feeds*")) == []


def test_an_export_that_is_killed_leaves_no_file_and_the_next_one_overwrites_what_is_left(live: Deployment, tmp_path: Path) -> None:
    act(live)
    output = tmp_path / "feeds.parquet"
    part = tmp_path / ".feeds.parquet.part"

    for sent, code in ((signal.SIGTERM, TERMINATED), (signal.SIGKILL, -signal.SIGKILL)):
        process = started_and_stuck(live.world, output)
        assert soon(part.exists)
        process.send_signal(sent)
        assert process.wait(60) == code
        assert not output.exists()
        assert part.exists() == (sent is signal.SIGKILL)

    _, rows = exported(live.world, output)
    assert len(rows) == 9
    assert not part.exists()


def test_two_exports_do_not_write_one_file(live: Deployment, tmp_path: Path) -> None:
    act(live)
    output = tmp_path / "feeds.parquet"
    process = started_and_stuck(live.world, output)
    try:
        assert soon((tmp_path / ".feeds.parquet.part").exists)
        with pytest.raises(Locked, match=r"feeds\.parquet"):
            exported(live.world, output)
    finally:
        process.kill()
        process.wait()


def started_and_stuck(world: World, output: Path) -> subprocess.Popen[bytes]:
    """An export that has begun to write its file and does not get on."""
    program = (
        "import sys, time; from recommender.export.worker import Worker; from indexing.export_command import export_group\n"
        "Worker.made = lambda self, after, upto: time.sleep(120)\n"
        "export_group(sys.argv[1:])\n"
    )
    arguments = ["feeds", "--data", str(world.data), "--output", str(output)]
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.DEVNULL, env={**os.environ})


def test_the_command_says_what_it_wrote(live: Deployment, tmp_path: Path) -> None:
    act(live)
    arguments = ["feeds", "--data", str(live.world.data), "--output", str(tmp_path / "feeds.parquet"), "--size", "4"]

    result = CliRunner().invoke(export_group, arguments)

    assert result.exit_code == 0, result.output
    assert "9 feeds of generation" in result.output
    assert {len(row["item_ids"]) for row in pq.read_table(tmp_path / "feeds.parquet").to_pylist()} == {4}


@pytest.mark.parametrize(
    ("more", "message"), [(["--placement", "attic"], "there are: home"), (["--output", "/nowhere/feeds.parquet"], "a folder that exists")]
)
def test_the_command_fails_in_words(
    live: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    arguments = ["feeds", "--data", str(live.world.data), "--output", str(tmp_path / "feeds.parquet"), *more]

    assert run(arguments, export_group) == 1
    assert message in capsys.readouterr().err


def test_an_error_in_a_process_that_shares_the_work_is_told(live: Deployment, tmp_path: Path) -> None:
    act(live)
    [file] = live.world.generations.root.glob("*/factors.npy")
    wrong = file.read_bytes()[:-4]
    file.write_bytes(wrong)

    with pytest.raises(RecommenderError, match=r"factors\.npy"):
        exported(live.world, tmp_path / "feeds.parquet", workers=2)


def test_an_export_may_stop_after_the_first_people(live: Deployment, tmp_path: Path) -> None:
    act(live)
    now = datetime.now(UTC)

    _, everybody = exported(live.world, tmp_path / "all.parquet", now=now)
    done, first = exported(live.world, tmp_path / "first.parquet", now=now, people=3)

    assert first == everybody[: len(first)]
    assert 0 < done.feeds <= 3 < len(everybody)
