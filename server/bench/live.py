"""How soon what is published can be recommended, and whether what is hidden is gone: real servers on one store, and the watcher beside."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from recommender.client import Client, Feed
from recommender.errors import InvalidInput, RecommenderError
from recommender.generation import Generation, Generations
from recommender.items import Item, ItemKind, ItemState
from recommender.machine import interpreter, processor
from recommender.settings import load_settings
from recommender.store import open_store
from server.bench.clocks import processor_seconds
from server.bench.copies import activate_only, copied
from server.bench.driver import Wanted, closed
from server.bench.traffic import RARE, Traffic
from server.launching import Serving, command, serving

FREE = "127.0.0.1:0"
GROUP = 25
"""Items that share a tag, by which one question asks for all of them."""
PAGE = 100
LOOK_S = 0.05
"""Time between two looks at what is there."""
PATIENCE_S = 30.0
"""What is not there so long after the last item was sent counts as missing."""
WARM_S = 180.0
"""Time for servers to compile what they need, where nobody did, and for the watcher to load its model."""
CONNECTIONS = 4
UNEMBEDDED = ("own", "none")

Figures = dict[str, Any]
Told = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is done: `items` published at `rate` a second before `servers` processes; then `hides` items hidden, `at_once` in a call.
    `seconds`: how long feeds are asked for, without the new items and with them, three times each."""

    items: int = 600
    rate: float = 10.0
    servers: int = 2
    hides: int = 10_000
    at_once: int = 10
    seconds: float = 5.0
    seed: int = 1


def measure_live(data: Path, plan: Plan, told: Told = lambda sentence: None) -> Figures:
    """All figures of a deployment on a copy of the store below `data`, as JSON shows them. `told` gets a sentence on each step.

    Raises `InvalidInput` where there is no store or no generation, and `RecommenderError` where a server or the watcher does not start.
    """
    settings = load_settings(data=data)
    generations = Generations(settings.generations_path)
    current = generations.current_id()
    if current is None or not settings.sqlite_file("recommender bench live").exists():
        raise InvalidInput("data", str(data), "a folder with a store and an active generation")
    with copied(data, current) as copy, ExitStack() as stack:
        activate_only(copy / "generations", current)
        generation = generations.load(current)
        with open_store(copy / "store.sqlite") as store:
            traffic = Traffic.of(store, generation, datetime.now(UTC), plan.seed)
        items = _new_items(generation, traffic, plan)
        inputs = {
            "data": data.name,
            "items": generation.manifest.items,
            "generation": current,
            "embedder": generation.manifest.embedder,
            "new items": f"{plan.items} at {plan.rate:g} a second",
            "server processes": plan.servers,
            "processors": os.cpu_count(),
            "machine": processor(),
            "interpreter": interpreter(),
            "versions": {name: version(name) for name in ("content-recommender", "grpcio", "numpy")},
        }
        del generation
        log = copy / "server.log"
        # All on one, as in `bench serve`: threads that change processors take more of them for the same work.
        first = min(os.sched_getaffinity(0))
        servers = [
            stack.enter_context(serving(copy, listen=FREE, admin_listen=FREE, metrics_listen=FREE, log=log, processor=first))
            for _ in range(plan.servers)
        ]
        clients = [stack.enter_context(Client(each.addresses["listen"], each.addresses["admin_listen"])) for each in servers]
        for client in clients:
            client.wait_until_serving(WARM_S)
        watcher = stack.enter_context(_watching(copy))
        told("the watcher loads its model")
        _published(clients, traffic.items[0], items[:1], plan.rate, WARM_S)
        watcher.check()
        without = _feed_ms(servers[0], traffic, plan, 1)
        told(f"{plan.items} items are published")
        times = _published(clients, traffic.items[0], items[1:], plan.rate, PATIENCE_S)
        watcher.check()
        over = _feed_ms(servers[0], traffic, plan, 2)
        told(f"{plan.hides} items are hidden")
        hidden = _hidden(clients, traffic, plan)
        return {
            "inputs": inputs,
            "published": {
                "in feeds, by all but their text": _row(times.in_feeds),
                "like what their text is like": _row(times.by_text),
            },
            "feeds": {"ms without new items": without, "ms with them": over, "with over without": over / without},
            "hidden": hidden,
        }


@dataclass
class _Watcher:
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises `RecommenderError` where it has ended."""
        if self.process.poll() is not None:
            end = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
            raise RecommenderError(f"`recommender watch` ended with status {self.process.returncode}:\n" + "\n".join(end))


@contextmanager
def _watching(data: Path) -> Iterator[_Watcher]:
    log = data / "watcher.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command("watch", "--data", str(data)), stdout=output, stderr=subprocess.STDOUT, process_group=0)
    try:
        yield _Watcher(process, log)
    finally:
        process.terminate()
        process.wait()


def _new_items(generation: Generation, traffic: Traffic, plan: Plan) -> list[Item]:
    """Items with words like those of what is there, one more than are published; with a vector where no text is embedded."""
    contents, rng = generation.contents, np.random.default_rng(plan.seed)
    known = contents.catalogue.rows_of_ids(traffic.items)
    named = contents.catalogue.cards(known)
    own = generation.manifest.embedder in UNEMBEDDED
    made = []
    for number in range(plan.items + 1):
        place = number % len(known)
        vector = None
        if own:
            noisy = contents.vectors.gather(known[place : place + 1])[0] + rng.normal(0, 0.02, generation.manifest.dimension)
            vector = (noisy / np.linalg.norm(noisy)).astype(np.float32)
        made.append(
            Item(
                id=f"bench-live-{number}",
                kind=ItemKind.ARTICLE,
                title=f"{named[0].title}, and {named[place].title} no. {number}",
                tags=(_tag(number),),
                published_at=datetime.now(UTC),
                embedding=vector,
            )
        )
    return made


def _tag(number: int) -> str:
    return f"bench-live-{number // GROUP}"


@dataclass
class _Times:
    """Seconds from when each item was due to be published until it was there on every server; fewer than published where some are not."""

    in_feeds: list[float] = field(default_factory=list)
    by_text: list[float] = field(default_factory=list)
    published: int = 0


def _published(clients: Sequence[Client], like: str, items: Sequence[Item], rate: float, patience_s: float) -> _Times:
    """Publish `items` at a constant `rate`, one a call, and look at every server, again and again, which of them it shows.

    An item is in feeds as soon as a feed of its tag shows it; and it is known by its text as soon as it is among what is `like` an item.
    """
    due: dict[str, float] = {}
    times = _Times(published=len(items))
    ended = threading.Event()

    def publish() -> None:
        begun = time.monotonic()
        try:
            for place, item in enumerate(items):
                at = begun + place / rate
                time.sleep(max(0.0, at - time.monotonic()))
                due[item.id] = at
                clients[0].upsert_items([item])
        finally:
            ended.set()

    def looked(ask: Callable[[Client, str], set[str]], found: list[float]) -> None:
        missing = [{item.id: item.tags[0] for item in items} for _ in clients]
        seen = dict.fromkeys((item.id for item in items), 0)
        give_up = float("inf")
        while any(missing) and time.monotonic() < give_up:
            if ended.is_set() and give_up == float("inf"):
                give_up = time.monotonic() + patience_s
            for client, waited in zip(clients, missing, strict=True):
                for tag in sorted({waited[each] for each in list(due) if each in waited}):
                    there = ask(client, tag)
                    now = time.monotonic()
                    for item_id in there & waited.keys() & due.keys():
                        del waited[item_id]
                        seen[item_id] += 1
                        if seen[item_id] == len(clients):
                            found.append(now - due[item_id])
            time.sleep(LOOK_S)

    with ThreadPoolExecutor(3) as pool:
        done = [
            pool.submit(publish),
            pool.submit(looked, _shown, times.in_feeds),
            pool.submit(looked, lambda client, tag: _like(client, like, tag), times.by_text),
        ]
        for each in done:
            each.result()
    return times


def _shown(client: Client, tag: str) -> set[str]:
    return _ids(client.get_feed(session="bench-live", filter=f'"{tag}" in tags', page_size=PAGE))


def _like(client: Client, item_id: str, tag: str) -> set[str]:
    """What is found by its likeness, which is what an answer says of it; the rest of it only completes the list."""
    answer = client.get_similar([item_id], filter=f'"{tag}" in tags', page_size=PAGE)
    return {item.id for item in answer.items if item.reason.startswith("Similar")}


def _ids(answer: Feed) -> set[str]:
    return {item.id for item in answer.items}


def _row(seconds: Sequence[float]) -> Figures:
    median_s, p99, most = np.percentile(seconds, [50, 99, 100]) if seconds else [float("nan")] * 3
    return {"items": len(seconds), "median s": float(median_s), "p99 s": float(p99), "slowest s": float(most)}


def _feed_ms(server: Serving, traffic: Traffic, plan: Plan, part: int) -> float:
    """Processor time of a server for a feed that is made anew, in ms; the median of three."""

    def once(number: int) -> float:
        wanted, before = Wanted("GetFeed", RARE, part=3 * part + number), processor_seconds(server.pid)
        outcomes = closed(server.addresses["listen"], traffic, wanted, connections=CONNECTIONS, seconds=plan.seconds)
        return 1e3 * (processor_seconds(server.pid) - before) / max(int(outcomes.good.sum()), 1)

    return median(once(number) for number in range(3))


def _hidden(clients: Sequence[Client], traffic: Traffic, plan: Plan) -> Figures:
    """Hide items, some in each call, one server after the other, and ask every server at once after whether any of them is shown still."""
    exceptions, asked, hidden, took = 0, 0, 0, list[float]()
    rng = np.random.default_rng(plan.seed)
    while hidden < plan.hides:
        chosen = [traffic.items[place] for place in rng.choice(len(traffic.items), min(plan.at_once, len(traffic.items)), replace=False)]
        person = traffic.known[int(rng.integers(len(traffic.known)))]
        there = _ids(clients[0].rank(chosen, session="bench-live"))
        sent = time.monotonic()
        clients[len(took) % len(clients)].set_state(chosen, ItemState.HIDDEN)
        took.append(time.monotonic() - sent)
        for client in clients:
            exceptions += len(_ids(client.rank(chosen, session="bench-live")) & there)
            exceptions += len(_ids(client.get_feed(user=person, page_size=PAGE)) & there)
            asked += 2
        clients[0].set_state(chosen, ItemState.LIVE)
        hidden += len(there)
    p50, p99 = np.percentile(took, [50, 99])
    return {
        "items hidden": hidden,
        "questions after": asked,
        "shown though hidden": exceptions,
        "SetState p50 ms": float(p50) * 1e3,
        "SetState p99 ms": float(p99) * 1e3,
    }
