"""Has the loops of serving compiled before anybody waits for them, by serving a made-up generation once.

Numba compiles a loop when it is first called with arrays of a kind, which takes seconds, and keeps it on disk. A real server on a
temporary folder is asked for everything that front ends ask for, so that what is compiled is what serving calls, whatever that is.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from recommender.client import Client, Slate
from recommender.errors import RecommenderError
from recommender.events import Consent, Event, EventType, Subject
from recommender.generation import Generations
from recommender.history_lists import HistoryList
from recommender.settings import Settings
from recommender.store import open_store
from server.app import Server
from server.sample_generation import publish_sample, sample_items, sample_vectors

ITEMS = 1_200
"""As many as vectors must be to be compressed, and some."""
COMPRESSED, EXACT = 0, 10 * ITEMS
NEW = 5
CLICKS = 12
"""Events of the longer history: more than the longest bucket of lengths begins with."""
FREE = "127.0.0.1:0"
TIMEOUT_S = 300.0
"""For one call, which waits for whatever it has to have compiled."""

FILTERS = ('"comedy" in categories && price > 3.0', 'language == "en"', "attributes.year >= 2010")
PLACEMENTS = """
[placements.home]

[placements.weighted]
blend = "weights"
repeat = "allowed"

[placements.composed]
variety = { strength = 0.3, rotation = 0.1 }
impressions = { discount = 0.1 }
exploration = { share = 0.1 }
rules = [
  { name = "first", do = "pin", filter = 'language == "en"', slot = 1 },
  { name = "more", do = "boost", filter = "price > 3.0", factor = 2.0 },
  { name = "mixed", do = "limit", of = "categories", at_most = 2 },
  { name = "authors", do = "limit", of = "author", at_most = 3, within = 5 },
  { name = "some", do = "ensure", filter = '"comedy" in categories' },
]
"""


def prepare(now: datetime) -> None:
    """Compile what serving needs on this processor, as of `now`, and keep it where Numba keeps it.

    What is there already is not compiled again. Nothing but that is left on disk. It takes a minute or more where nothing is there, and
    no network.
    """
    with tempfile.TemporaryDirectory(prefix="recommender-prepare-") as folder:
        data = Path(folder)
        placements = data / "placements.toml"
        placements.write_text(PLACEMENTS, encoding="utf-8")
        settings = apart(data, placements)
        generations = Generations(settings.generations_path)
        with open_store(settings.store_path, create=True) as store:
            store.upsert_items(sample_items(ITEMS, now), now=now)
            seen = Event("regular-seen", EventType.IMPRESSION, Subject.user("regular"), "sample-1", at=now - timedelta(minutes=1))
            store.record_events([*_history("regular", CLICKS, now), seen], now=now, consent_default=Consent.ALL)
            made = [
                publish_sample(generations, store, now=now + timedelta(seconds=place), learned=learned, exact_limit=exact_limit)
                for place, (learned, exact_limit) in enumerate([(True, COMPRESSED), (False, EXACT)])
            ]
        with (
            Server.start(settings) as server,
            Client(server.addresses.listen, server.addresses.admin_listen, timeout_s=TIMEOUT_S) as client,
        ):
            for generation_id in made:
                client.activate_generation(generation_id)
                _ask(client, generation_id, now)


def apart(data: Path, placements: Path) -> Settings:
    """Settings of a server that has to do with nothing but the folder `data`, whatever the environment names for the real one."""
    return Settings(
        data=data,
        store=None,
        generations=None,
        placements=placements,
        listen=FREE,
        admin_listen=FREE,
        metrics_listen=FREE,
        wait_s=60,
        grace_s=60,
        log_level="error",
    )


def _ask(client: Client, visit: str, now: datetime) -> None:
    """Everything that front ends ask for, as persons who have never been there, but for the regular one."""
    newcomer = f"newcomer-{visit}"
    for overlaid in (False, True):
        for placement in ("home", "weighted", "composed"):
            for user, session in (("regular", ""), (newcomer, ""), ("", newcomer)):
                first = client.get_feed(user=user, session=session, placement=placement, page_size=5, explain=True)
                client.get_feed(user=user, session=session, placement=placement, page_size=5, page_token=first.next_page_token)
                for condition in FILTERS:
                    client.get_feed(user=user, session=session, placement=placement, filter=condition)
                client.get_feed(
                    user=user, session=session, placement=placement, current_item="sample-7", recent_items=["sample-3", "sample-4"]
                )
                client.rank([f"sample-{place}" for place in range(30)], user=user, session=session, placement=placement)
        client.get_similar(["sample-3"])
        client.get_similar(["sample-3", "sample-8"], unlike=["sample-5"], user="regular", filter=FILTERS[0])
        client.get_slates([Slate(placement="composed", page_size=3), Slate(page_size=3)], user="regular")
        for typed in ("Sample 7", "smaple 70", "a comedy by author-2"):
            client.search(typed)
            client.search(typed, user="regular", filter=FILTERS[0], explain=True)
        client.get_popular()
        client.get_popular(category="comedy", filter=FILTERS[1])
        client.get_popular(window=timedelta(days=1), half_life=timedelta(hours=1), region="FR")
        for wanted in HistoryList:
            client.get_history(wanted, user="regular")
        # A history of one event lies in memory otherwise than longer ones.
        for clicks in (1, 2):
            client.record(_history(newcomer, clicks, now))
            client.get_feed(user=newcomer)
        shown = client.get_feed(user=newcomer).items[0]
        client.record(
            [Event(f"{visit}-token-{overlaid}", EventType.LIKE, Subject.user(newcomer), shown.id, token=shown.token)],
        )
        client.get_feed(user=newcomer)
        if not overlaid:
            _lay_over(client, visit, now)


def _lay_over(client: Client, visit: str, now: datetime) -> None:
    """Have new items, and one that changed, laid over the generation, and return when they are."""
    new = [
        replace(item, id=f"{visit}-{item.id}", categories=(visit,), embedding=vector)
        for item, vector in zip(sample_items(NEW, now), sample_vectors(NEW), strict=True)
    ]
    changed = replace(sample_items(NEW, now)[-1], title=visit)
    client.upsert_items([*new, changed])
    end = time.monotonic() + TIMEOUT_S
    while not client.get_popular(filter=f'"{visit}" in categories', page_size=1).items:
        if time.monotonic() > end:
            raise RecommenderError(f"new items were not laid over a generation within {TIMEOUT_S:g} s")
        time.sleep(0.05)


def _history(user: str, clicks: int, now: datetime) -> list[Event]:
    """Clicks of `user` on as many items, a minute apart, the newest a minute before `now`."""
    return [
        Event(f"{user}-{place}", EventType.CLICK, Subject.user(user), f"sample-{7 * place}", at=now - timedelta(minutes=clicks - place))
        for place in range(clicks)
    ]
