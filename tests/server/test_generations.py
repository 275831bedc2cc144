"""Generations come and go under a running server; a bad one is refused by name and the old one serves on."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from handmade import NOW, contents_of, engine_of
from waiting import soon

from recommender.client import InvalidArgument, Missing, Refused, Unavailable
from recommender.generation.writer_lock import writer_lock
from recommender.items import ItemState
from server.warming import warm

if TYPE_CHECKING:
    from tests.server.conftest import Deployment, Serve, World


def metric(live: Deployment, line: str) -> float:
    """The value of one line of the metrics page."""
    with urlopen(f"http://{live.server.addresses.metrics_listen}/metrics", timeout=20) as page:
        [value] = [text.rsplit(" ", 1)[1] for text in page.read().decode().splitlines() if text.startswith(line + " ")]
        return float(value)


def damage(world: World, generation_id: str, file: str = "popularity.npy") -> None:
    path = world.data / "generations" / generation_id / file
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)


def test_a_new_generation_is_taken_up_without_a_restart(live: Deployment, world: World) -> None:
    first = live.client.get_feed(user="ann").generation_id

    second = world.publish()

    assert soon(lambda: live.client.get_feed(user="ann").generation_id == second)
    assert second != first


def test_no_call_fails_while_generations_change(live: Deployment, world: World) -> None:
    def ask(call: int) -> str:
        return live.client.get_feed(user=f"user-{call % 5}", page_size=5).generation_id

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, call) for call in range(150)]
        ids = {world.publish() for _ in range(3)}
        assert soon(lambda: live.client.get_feed(user="ann").generation_id == max(ids))
        answers += [pool.submit(ask, call) for call in range(10)]

    assert {answer.result() for answer in answers[-10:]} == {max(ids)}
    assert all(answer.result() for answer in answers)


def test_a_change_made_after_the_build_holds_in_a_generation_taken_up_later(live: Deployment, world: World) -> None:
    second = world.publish(activate=False)
    live.client.set_state(["comedy-00"], ItemState.HIDDEN)

    assert live.client.activate_generation(second).generation.id == second

    assert "comedy-00" not in live.ids(user="ann", page_size=100)
    assert metric(live, "recommender_live_items") == 29


def test_a_corrupt_generation_is_refused_by_name_once_and_the_old_one_serves_on(
    live: Deployment, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    first = live.client.get_feed(user="ann").generation_id
    second = world.publish(activate=False)
    damage(world, second)
    with caplog.at_level(logging.ERROR, "recommender.server"):
        (world.data / "generations" / "CURRENT").write_text(second + "\n", encoding="ascii")
        assert soon(lambda: metric(live, "recommender_generation_refusals_total") == 1)
        for _ in range(3):
            live.server.live.look()

    assert metric(live, "recommender_generation_refusals_total") == 1
    [record] = [record for record in caplog.records if record.message == "generation refused"]
    assert record.__dict__["generation_id"] == second
    assert record.__dict__["why"] == f"generation {second} is refused: popularity.npy: has another checksum than the manifest says"
    assert live.client.get_feed(user="ann").generation_id == first
    assert metric(live, f'recommender_generation_info{{generation="{first}"}}') == 1


def test_after_a_refusal_the_next_good_generation_serves(live: Deployment, world: World) -> None:
    bad = world.publish(activate=False)
    damage(world, bad)
    (world.data / "generations" / "CURRENT").write_text(bad + "\n", encoding="ascii")
    live.server.live.look()

    good = world.publish()
    live.server.live.look()

    assert live.client.get_feed(user="ann").generation_id == good


def test_a_repaired_generation_serves_once_it_is_activated_again(live: Deployment, world: World) -> None:
    second = world.publish(activate=False)
    damage(world, second)
    (world.data / "generations" / "CURRENT").write_text(second + "\n", encoding="ascii")
    live.server.live.look()
    damage(world, second)

    live.client.activate_generation(second)

    assert live.client.get_feed(user="ann").generation_id == second


def test_what_could_not_be_loaded_for_a_while_serves_as_soon_as_it_can_be(
    live: Deployment, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    second = world.publish(activate=False)
    folder = world.data / "generations" / second
    folder.rename(folder.with_name("away"))
    (world.data / "generations" / "CURRENT").write_text(second + "\n", encoding="ascii")
    with caplog.at_level(logging.ERROR, "recommender.server"):
        assert soon(lambda: metric(live, "recommender_generation_refusals_total") == 1)
        for _ in range(20):
            live.server.live.look()

        folder.with_name("away").rename(folder)

        assert soon(lambda: live.client.get_feed(user="ann").generation_id == second)
    [record] = [record for record in caplog.records if record.message == "generation not loaded"]
    assert record.__dict__["generation_id"] == second
    assert metric(live, "recommender_generation_refusals_total") == 1


def test_a_server_that_could_not_load_yet_says_that_it_tries_again(world: World, serve: Serve) -> None:
    only = world.publish()
    (world.data / "generations" / only).rename(world.data / "generations" / "away")

    with pytest.raises(Unavailable, match=f"no generation '{only}'.*; it is tried again"):
        serve().client.get_feed(user="ann")


def test_what_a_front_end_is_told_of_a_bad_generation_names_no_folder(world: World, serve: Serve) -> None:
    only = world.publish()
    (world.data / "generations" / only / "manifest.json").unlink()

    with pytest.raises(Unavailable, match=f"generation {only} is refused: manifest.json") as caught:
        serve().client.get_feed(user="ann")

    assert str(world.data) not in str(caught.value)


def test_a_generation_is_warm_before_it_serves(live: Deployment, world: World) -> None:
    world.publish()
    live.server.live.look()

    engine = live.server.live.engine
    assert engine is not None
    assert {"columns", "category_members"} <= vars(engine.contents.catalogue).keys(), "worked out once, before any request"


def test_warming_an_empty_generation_does_no_harm() -> None:
    engine = engine_of(contents_of([]))

    warm(engine, NOW)

    assert "columns" in vars(engine.contents.catalogue)


@pytest.mark.parametrize("current", ["20990101T000000-0123abcd", "../../etc", "é"])
def test_a_current_that_names_no_generation_is_refused(live: Deployment, world: World, current: str) -> None:
    (world.data / "generations" / "CURRENT").write_text(current, encoding="utf-8")

    assert soon(lambda: metric(live, "recommender_generation_refusals_total") == 1)
    assert live.ids(user="ann")


def test_a_server_that_starts_on_a_corrupt_generation_says_which_and_what_to_do(world: World, serve: Serve) -> None:
    only = world.publish()
    damage(world, only, "items.arrow")

    with pytest.raises(Unavailable, match=f"generation {only} is refused: items.arrow: .* run `recommender generations rollback`"):
        serve().client.get_feed(user="ann")


def test_generations_are_listed_newest_first_and_shown_with_their_report(live: Deployment, world: World) -> None:
    first = live.client.get_generation()
    second = world.publish(activate=False, passed=False)

    listed = live.client.list_generations()
    shown = live.client.get_generation(second)

    assert [(entry.id, entry.active, entry.passed_gate) for entry in listed] == [(second, False, False), (first.id, True, True)]
    assert not listed[0].metrics
    assert shown.parent_id == first.id
    assert [(m.name, m.mean, m.low, m.high) for m in shown.metrics] == [("blend/ndcg@10", 0.5, 0.4, 0.6)]
    assert [(check.name, check.passed, check.message) for check in shown.checks] == [("size", False, "as expected")]
    assert (shown.items, shown.embedder, shown.watermark > 0, shown.size_bytes > 0) == (30, "by hand", True, True)
    assert shown.created_at.seconds > first.created_at.seconds


def test_an_unreadable_generation_is_left_out_of_the_list_and_refused_by_name(live: Deployment, world: World) -> None:
    second = world.publish(activate=False)
    (world.data / "generations" / second / "manifest.json").write_text("{", encoding="utf-8")

    assert second not in [entry.id for entry in live.client.list_generations()]
    with pytest.raises(Refused, match=f"generation {second} is refused: manifest.json"):
        live.client.get_generation(second)
    with pytest.raises(Refused, match=f"generation {second} is refused"):
        live.client.activate_generation(second)


def test_activation_and_rollback_have_taken_effect_when_their_calls_return(live: Deployment, world: World) -> None:
    first = live.client.get_generation().id
    second = world.publish(activate=False)

    activated = live.client.activate_generation(second)
    assert live.client.get_feed(user="ann").generation_id == second
    rolled_back = live.client.rollback_generation("second thoughts")

    assert live.client.get_feed(user="ann").generation_id == first
    assert (activated.generation.id, activated.generation.active, activated.previous_id) == (second, True, first)
    assert (rolled_back.generation.id, rolled_back.previous_id) == (first, second)
    assert world.generations.activations()[-1]["reason"] == "second thoughts"


def test_a_generation_that_its_gate_refused_needs_a_reason(live: Deployment, world: World) -> None:
    second = world.publish(passed=False, activate=False)

    with pytest.raises(Refused, match="did not pass its gate"):
        live.client.activate_generation(second)
    live.client.activate_generation(second, "we know better")

    assert live.client.get_feed(user="ann").generation_id == second


def test_there_is_nothing_to_go_back_to_after_the_first_activation(live: Deployment) -> None:
    with pytest.raises(Missing, match="no generation before"):
        live.client.rollback_generation()


def test_a_generation_is_verified_file_by_file(live: Deployment, world: World) -> None:
    second = world.publish(activate=False)

    sound = live.client.verify_generation()
    damage(world, second)

    assert sound.generation.active
    assert sound.files > 20
    with pytest.raises(Refused, match=f"generation {second} is refused: popularity.npy: has another checksum"):
        live.client.verify_generation(second)
    with pytest.raises(Missing, match="no generation"):
        live.client.verify_generation("20990101T000000-00000000")


def test_two_generations_are_set_side_by_side(live: Deployment, world: World) -> None:
    first = live.client.get_generation().id
    with world.open() as store:
        item = store.get_items(["comedy-03"])[0].item
        store.upsert_items([replace(item, title="Renamed"), replace(item, id="comedy-12")], now=NOW)
        store.delete_items(["drama-01"], now=NOW)
    second = world.publish(activate=False)

    diff = live.client.diff_generations(first, second)

    assert (diff.before.id, diff.before.active, diff.after.id, diff.after.active) == (first, True, second, False)
    assert [m.name for m in diff.after.metrics] == ["blend/ndcg@10"]
    assert {name: (items.count, list(items.item_ids)) for name, items in (("+", diff.added), ("-", diff.removed), ("~", diff.changed))} == {
        "+": (1, ["comedy-12"]),
        "-": (1, ["drama-01"]),
        "~": (1, ["comedy-03"]),
    }
    assert not diff.settings
    with pytest.raises(InvalidArgument, match="after_id: given ''"):
        live.client.diff_generations(first, "")


def test_old_generations_are_pruned_but_not_those_that_one_may_go_back_to(live: Deployment, world: World) -> None:
    first = live.client.get_generation().id
    second, third, fourth = (world.publish(activate=False) for _ in range(3))
    live.client.activate_generation(second)

    assert list(live.client.prune_generations(1, dry_run=True)) == [third]
    assert world.generations.ids() == [fourth, third, second, first]
    assert list(live.client.prune_generations(1)) == [third]
    assert world.generations.ids() == [fourth, second, first]
    with pytest.raises(InvalidArgument, match="keep: given 0, allowed: 1 or more"):
        live.client.prune_generations(0)


def test_nothing_is_pruned_while_a_build_is_running(live: Deployment, world: World) -> None:
    for _ in range(3):
        world.publish(activate=False)
    with (
        writer_lock(world.generations.root, now=NOW),
        pytest.raises(Unavailable, match="another build is running: process"),
    ):
        live.client.prune_generations(1)
    assert len(world.generations.ids()) == 4
