"""Kills the processes of a deployment at random points while it is under load, and says what became of all that was acknowledged."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from recommender.client import Client, DeadlinePassed, Overloaded, Unavailable
from recommender.errors import RecommenderError
from recommender.events import Consent, Event, EventType, Subject
from recommender.generation import Generations
from recommender.items import Item, ItemKind, ItemState
from recommender.store import EventStatus, open_store

NAMES = ("server", "watcher", "reindexer")
LONG_S = 180.0
"""Long for any machine, however busy."""
MANY, BUILD_S = 100, 30.0
"""So many kills are a long run, in which builds get time to come to their end, which takes about so long beside all else."""


@dataclass(eq=False)
class Process:
    """One command of the deployment, started anew whenever it has ended."""

    arguments: tuple[str, ...]
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    ended: list[int] = field(default_factory=list)

    def ensure(self) -> None:
        """Start it where it does not run."""
        if self.process is not None:
            if self.process.poll() is None:
                return
            self.ended.append(self.process.returncode)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "recommender", *self.arguments], env=self.environment, stdout=log, stderr=log
            )

    def kill(self) -> bool:
        """Kill it; whether it ran."""
        if self.process is None or self.process.poll() is not None:
            return False
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return True

    def stop(self) -> None:
        """End it, by force where it does not end by itself."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(LONG_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass(eq=False)
class Load:
    """What was sent, and what of it was acknowledged."""

    address: str
    admin: str
    films: tuple[str, ...]
    seed: int
    sent: dict[str, Event] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    titles: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    shown_though_hidden: int = 0
    feeds: int = 0
    surprises: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, work: Callable[[Client, random.Random], None], seed: int) -> None:
        """Do `work` again and again until told to stop; a server that is away is waited for."""
        rng = random.Random(seed)
        while not self.stop.is_set():
            try:
                with Client(self.address, self.admin, timeout_s=5) as client:
                    while not self.stop.is_set():
                        work(client, rng)
            except (Unavailable, Overloaded, DeadlinePassed):
                time.sleep(0.05)
            except Exception as error:
                self.surprises.append(repr(error))
                return

    def record(self, client: Client, rng: random.Random) -> None:
        """Send some events, and now and then some of those again that were sent before."""
        number = len(self.sent)
        new = [
            Event(
                id=f"e{number + place}",
                type=rng.choice((EventType.CLICK, EventType.LIKE, EventType.WATCH)),
                subject=Subject.user(f"person-{rng.randrange(40)}"),
                item_id=rng.choice(self.films),
                at=datetime.now(UTC),
            )
            for place in range(rng.randrange(1, 12))
        ]
        self.sent.update({event.id: event for event in new})
        again = rng.sample(sorted(self.sent), min(3, len(self.sent))) if rng.random() < 0.3 else []
        batch = [*new, *[self.sent[event_id] for event_id in again if event_id not in {event.id for event in new}]]
        answer = client.record(batch)
        for event, result in zip(batch, answer.results, strict=True):
            if result.message:
                self.surprises.append(result.message)
            self.acknowledged.add(event.id)
        time.sleep(0.01)

    def change(self, client: Client, rng: random.Random) -> None:
        """Add an item, or hide one that was added."""
        if self.titles and rng.random() < 0.4:
            item_id = rng.choice(sorted(self.titles))
            client.set_state([item_id], ItemState.HIDDEN)
            self.hidden.add(item_id)
            # Acknowledged: from now on no answer may show it.
            shown = client.get_feed(user="nobody", page_size=100).items
            self.shown_though_hidden += any(item.id in self.hidden for item in shown)
        else:
            item_id = f"new-{self.seed}-{len(self.titles)}"
            title = f"A {rng.choice(('rocket', 'rose', 'comet', 'tulip'))} no. {len(self.titles)}"
            client.upsert_items([Item(id=item_id, kind=ItemKind.MEDIA, title=title, published_at=datetime.now(UTC))])
            self.titles[item_id] = title
        time.sleep(0.05)

    def read(self, client: Client, rng: random.Random) -> None:
        """Ask for feeds."""
        client.get_feed(user=f"person-{rng.randrange(40)}", page_size=10)
        self.feeds += 1
        time.sleep(0.01)


@dataclass(frozen=True)
class Found:
    """What became of a deployment under faults; everything but `kills`, `feeds` and the counts is to be empty or 0."""

    kills: dict[str, int]
    feeds: int
    acknowledged: int
    generations: int
    lost: list[str]
    doubled: int
    unloadable: list[str]
    missing_items: list[str]
    shown_though_hidden: int
    surprises: list[str]
    exits: dict[str, set[int]]


def run(data: Path, model: Path, films: tuple[str, ...], ports: tuple[int, int, int], *, kills: int, seed: int, url: str = "") -> Found:
    """Kill server, watcher and reindexer of the world in `data`, and in the database of `url` where one is given, so many times in all,
    while it is loaded."""
    rng = random.Random(seed)
    place = url or data / "store.sqlite"
    environment = os.environ | ({"RECOMMENDER_STORE": url} if url else {})
    front, admin, metrics = (f"127.0.0.1:{port}" for port in ports)
    logs = data.parent
    common = ("--data", str(data))
    serve = ("serve", *common, "--listen", front, "--admin-listen", admin, "--metrics-listen", metrics, "--grace-s", "1")
    processes = {
        "server": Process(serve, logs / "server.log", environment),
        "watcher": Process(("watch", *common, "--poll", "0.05"), logs / "watcher.log", environment),
        "reindexer": Process(
            ("reindex", *common, "--embedder", str(model), "--resume", "--force", "a test of faults"), logs / "reindexer.log", environment
        ),
    }
    load = Load(front, admin, films, seed)
    generations = Generations(data / "generations")
    unloadable: list[str] = []
    killed = dict.fromkeys(NAMES, 0)
    with open_store(place) as store:
        before = store.counts().events
    with ExitStack() as ended:
        for process in processes.values():
            ended.callback(process.stop)
            process.ensure()
        threads = [
            threading.Thread(target=load.run, args=(work, seed + number), daemon=True)
            for number, work in enumerate((load.record, load.change, load.read))
        ]
        # From here on all three are at work.
        with Client(front, admin) as client:
            client.wait_until_serving(LONG_S)
        for thread in threads:
            thread.start()
        # Each in turn, in another order each time round.
        order = [name for _ in range(kills) for name in rng.sample(NAMES, len(NAMES))]
        while sum(killed.values()) < kills:
            time.sleep(rng.expovariate(0.5))
            for process in processes.values():
                process.ensure()
            name = order[sum(killed.values()) % len(order)]
            if name == "reindexer" and kills >= MANY:
                # At any point of a build, its last ones too, whatever it had done before it was killed the last time.
                time.sleep(rng.uniform(0, BUILD_S))
            killed[name] += processes[name].kill()
            current = generations.current_id()
            try:
                generations.load(str(current))
            except RecommenderError as error:
                unloadable.append(str(error))
            processes[name].ensure()
            if name == "server":
                with Client(front, admin) as client:
                    client.wait_until_serving(LONG_S)
        load.stop.set()
        for thread in threads:
            thread.join()
        processes["reindexer"].stop()
        with Client(front, admin, timeout_s=30) as client:
            client.wait_until_serving(LONG_S)
            visible = set(load.titles) - load.hidden
            missing = _missing(client, visible)
    with open_store(place) as store:
        events = list(load.sent.values())
        outcomes = store.record_events(events, now=datetime.now(UTC), consent_default=Consent.ALL)
        lost = [
            event.id
            for event, outcome in zip(events, outcomes, strict=True)
            if event.id in load.acknowledged and outcome.status is not EventStatus.DUPLICATE
        ]
        doubled = store.counts().events - before - len(events)
    exits = {name: set(process.ended) for name, process in processes.items()}
    return Found(
        killed,
        load.feeds,
        len(load.acknowledged),
        len(generations.ids()),
        lost,
        doubled,
        unloadable,
        missing,
        load.shown_though_hidden,
        load.surprises,
        exits,
    )


def _missing(client: Client, wanted: set[str]) -> list[str]:
    """Those of `wanted` that are not served once a moment has passed."""
    end = time.monotonic() + LONG_S
    left = set(wanted)
    while left and time.monotonic() < end:
        asked = sorted(left)[:500]
        left -= {item.id for item in client.rank(asked, user="nobody").items}
        time.sleep(0.1)
    return sorted(left)
