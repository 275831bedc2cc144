"""Settings of the server each change something."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from recommender.client import Client, InvalidArgument, Unavailable
from recommender.errors import InvalidInput
from recommender.events import Event, EventType, Subject
from server.token_keys import parse_keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.conftest import Clock, Deployment, Serve, World

OLD, NEW = f"old:{'0a' * 32}", f"new:{'0b' * 40}"


def click(event_id: str) -> Event:
    return Event(id=event_id, type=EventType.CLICK, subject=Subject.user("ann"), item_id="comedy-00")


def test_how_far_ahead_an_events_time_may_lie_is_a_setting(serve: Serve) -> None:
    patient, strict = serve(future_tolerance_s=600), serve(future_tolerance_s=60)
    ahead = replace(click("ahead"), at=patient.clock() + timedelta(minutes=5))

    assert strict.client.record([ahead]).rejected == 1
    assert patient.client.record([ahead]).accepted == 1


def test_for_how_long_an_event_id_is_recognised_is_a_setting(serve: Serve) -> None:
    long, short = serve(dedup_days=14), serve(dedup_days=2)
    clocks: tuple[Clock, Clock] = (long.clock, short.clock)
    assert long.client.record([click("e")]).accepted == 1

    for clock in clocks:
        clock.ahead = timedelta(days=5)

    assert long.client.record([click("e")]).duplicates == 1
    assert short.client.record([click("e")]).accepted == 1


def test_tokens_stay_good_when_a_key_is_exchanged_and_end_with_it(serve: Serve, world: World) -> None:
    world.publish()
    before = serve(token_keys=SecretStr(OLD)).client.get_feed(user="ann", page_size=2)
    exchanged, without = serve(token_keys=SecretStr(f"{NEW}, {OLD}")), serve(token_keys=SecretStr(NEW))

    assert exchanged.client.get_feed(user="ann", page_token=before.next_page_token).items
    assert exchanged.act(before.items[0].id, user="ann", token=before.items[0].token) == "taken"
    with pytest.raises(InvalidArgument, match="page_token"):
        without.client.get_feed(user="ann", page_token=before.next_page_token)
    after = exchanged.client.get_feed(user="ann", page_size=2)
    assert without.client.get_feed(user="ann", page_token=after.next_page_token).items


def test_servers_on_one_store_accept_each_others_tokens(live: Deployment, serve: Serve) -> None:
    first = live.client.get_feed(user="ann", page_size=2)

    assert serve().client.get_feed(user="ann", page_token=first.next_page_token).items


@pytest.mark.parametrize("text", ["", "k1", "k1:", "k1:zz", "k1:0a", f"{OLD},", f"{OLD},{OLD}", f":{'0a' * 32}"])
def test_keys_that_cannot_be_used_are_refused_without_being_shown(serve: Serve, text: str) -> None:
    with pytest.raises(InvalidInput, match="token_keys") as caught:
        serve(token_keys=SecretStr(text))

    assert "0a" not in str(caught.value)


def test_keys_are_read_in_their_order() -> None:
    assert parse_keys(f" {NEW} ,{OLD}") == [("new", b"\x0b" * 40), ("old", b"\x0a" * 32)]


def test_placements_that_cannot_be_read_are_refused_by_file_and_key(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "placements.toml"
    path.write_text("[placements.home]\npage_size = 0\n", encoding="utf-8")

    with pytest.raises(InvalidInput, match=r"placements\.toml: placements\.home\.page_size: given 0"):
        serve(placements=path)
    with pytest.raises(InvalidInput, match="no such file"):
        serve(placements=tmp_path / "none.toml")


def test_what_was_acknowledged_before_a_stop_is_kept(live: Deployment, world: World) -> None:
    """Calls that run when the server stops end well; later ones are refused."""
    acknowledged: list[str] = []

    def send(worker: int) -> None:
        with Client(live.server.addresses.listen, timeout_s=20) as client:
            for number in range(10_000):
                event_id = f"{worker}-{number}"
                try:
                    assert client.record([click(event_id)]).accepted == 1
                except Unavailable:
                    return
                acknowledged.append(event_id)

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(send, worker) for worker in range(4)]
        while len(acknowledged) < 20:
            assert not any(worker.done() for worker in workers)
        live.server.stop()
        for worker in workers:
            worker.result()

    with world.open() as store:
        again = store.record_events([click(event_id) for event_id in acknowledged], now=live.clock(), consent_default=7)  # type: ignore[arg-type]
        assert {outcome.status.value for outcome in again} == {"duplicate"}
        assert store.counts().events == len(acknowledged)
