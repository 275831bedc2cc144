"""A small world with known answers, and real servers on free ports.

Thirty items in three tastes: twelve comedies, twelve dramas (media) and six news articles. Content, co-consumption and factors
all say that items of one taste belong together; popularity falls from comedy to drama to news and with the number.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from handmade import sequence_of

from recommender.client import Client
from recommender.events import Consent, Event, EventType, Subject
from recommender.generation import Contents, FileEntry, GateCheck, Generations, Manifest, Metric
from recommender.generation.catalogue import Catalogue
from recommender.graph_filter import ItemSpectrum
from recommender.items import Item, ItemKind
from recommender.lists import Lists
from recommender.profile import BuildSettings
from recommender.search.word_index import WordIndex
from recommender.settings import Settings
from recommender.store import Store, open_store
from recommender.times import MISSING_TIME, to_micros
from recommender.vectors import VectorIndex
from server.app import Server

TASTES = {"comedy": 12, "drama": 12, "news": 6}
PUBLISHED = datetime(2026, 1, 1, tzinfo=UTC)


def all_items() -> list[Item]:
    """The thirty items."""
    return [
        Item(
            id=f"{taste}-{place:02}",
            kind=ItemKind.ARTICLE if taste == "news" else ItemKind.MEDIA,
            title=f"{taste.title()} {place}",
            text=f"A {taste}.",
            language="de" if taste == "news" and place % 2 else "en",
            categories=(taste,),
            published_at=PUBLISHED + timedelta(days=place),
            price=float(place),
        )
        for taste, count in TASTES.items()
        for place in range(count)
    ]


@dataclass
class Clock:
    """A clock that tests may turn forward."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class World:
    """The data folder of a deployment, with the items in its store."""

    data: Path
    published: int = 0

    @property
    def generations(self) -> Generations:
        return Generations(self.data / "generations")

    def open(self) -> Store:
        """The store, opened once more beside the server."""
        return open_store(self.data / "store.sqlite")

    def publish(self, *, passed: bool = True, activate: bool = True, unlearnt: Sequence[str] = (), upto: int | None = None) -> str:
        """Write a generation of what the store holds, by default up to now, and return its id; each call's id sorts after the one before.

        Of the items `unlearnt` it holds the catalogue's entry and nothing that could be learnt from text or events.
        """
        with self.open() as store:
            watermark = store.change_sequence() if upto is None else upto
            stored = [item for batch in store.iter_items(upto=watermark) for item in batch]
        contents = contents_of([entry.item for entry in stored], Catalogue.of([(s.number, s.state, s.item) for s in stored]), unlearnt)
        settings = BuildSettings()
        # Ids hold the second of the build, and the digest of contents that do not differ here.
        now = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(minutes=self.published)
        self.published += 1

        def describe(generation_id: str, files: dict[str, FileEntry]) -> Manifest:
            return Manifest(
                id=generation_id,
                created_at=now,
                parent=self.generations.current_id(),
                items=len(stored),
                events=0,
                watermark=watermark,
                profile=settings.model_dump(mode="json"),
                profile_hash=settings.hash,
                embedder="by hand",
                dimension=4,
                seed=0,
                libraries={},
                judged="nothing",
                metrics=(Metric(name="blend/ndcg@10", mean=0.5, low=0.4, high=0.6),),
                checks=(GateCheck(name="size", passed=passed, message="as expected"),),
                files=files,
            )

        manifest = self.generations.add(contents, describe, now=now)
        if activate:
            self.generations.activate(manifest.id, now=now)
        return manifest.id


def contents_of(items: list[Item], catalogue: Catalogue, unlearnt: Sequence[str]) -> Contents:
    """What a build would have learnt if every person had kept to one taste, and had never met the `unlearnt`."""
    tastes = np.array([list(TASTES).index(item.id.split("-")[0]) for item in items])
    places = np.array([int(item.id.split("-")[1]) for item in items])
    n = len(items)
    vectors = np.zeros((n, 4), dtype=np.float32)
    vectors[np.arange(n), tastes] = 1
    vectors[:, 3] = 0.01 * (1 + places)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    together = (tastes[:, None] == tastes[None, :]).astype(np.float32) / (1 + places[None, :])
    np.fill_diagonal(together, 0)
    factors = np.zeros((n, 3), dtype=np.float32)
    factors[np.arange(n), tastes] = 1 / (1 + 0.1 * places)
    learnt = np.array([item.id not in unlearnt for item in items], dtype=np.bool_)
    for array in (vectors, together, together.T, factors):
        array[~learnt] = 0
    return Contents(
        catalogue=catalogue,
        vectors=VectorIndex.build(vectors, exact_limit=20_000, seed=0),
        has_vector=learnt,
        factors=factors,
        confidence=5.0,
        item_item=Lists.of(sp.csr_array(together)),
        transitions=Lists.of(sp.csr_array(together)),
        co_occurrence=Lists.of(sp.csr_array(together)),
        transfer=Lists.of(sp.csr_array(together)),
        graph=ItemSpectrum(factors, learnt.astype(np.float32), learnt.astype(np.float32), np.ones(3, dtype=np.float32)),
        sequence=sequence_of(np.hstack([factors, np.zeros((n, 1))])),
        popularity=np.arange(n, 0, -1, dtype=np.float32),
        recent_popularity=np.arange(n, 0, -1, dtype=np.float32),
        response=np.linspace(2, 0.5, n, dtype=np.float32),
        first_at=np.full(n, MISSING_TIME),
        counting=np.array([30.0, 3.0, to_micros(PUBLISHED)]),
        words=WordIndex.of(catalogue),
    )


@dataclass
class Deployment:
    """A running server, a client of it, and its world."""

    world: World
    server: Server
    client: Client
    clock: Clock = field(default_factory=Clock)
    sent: int = 0

    def act(self, item_id: str, type: EventType = EventType.CLICK, *, token: str = "", consent: Consent | None = None, **who: str) -> str:
        """Record one event of `user=` or `session=` and return what became of it."""
        self.sent += 1
        subject = Subject.user(who["user"]) if "user" in who else Subject.session(who["session"])
        event = Event(id=f"event-{self.sent}", type=type, subject=subject, item_id=item_id, token=token, consent=consent)
        [result] = self.client.record([event]).results
        return result.message or "taken"

    def ids(self, **wanted: object) -> list[str]:
        """Ids of the first page of a feed."""
        return [item.id for item in self.client.get_feed(**wanted).items]  # type: ignore[arg-type]


Serve = Callable[..., Deployment]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the items and one active generation; made once, since every test begins with a copy of it."""
    data = tmp_path_factory.mktemp("pristine")
    with open_store(data / "store.sqlite", create=True) as store:
        store.upsert_items(all_items(), now=PUBLISHED)
    World(data).publish()
    return data


@pytest.fixture
def world(pristine: Path, tmp_path: Path) -> World:
    """A world without a generation."""
    (tmp_path / "data").mkdir()
    shutil.copy(pristine / "store.sqlite", tmp_path / "data")
    return World(tmp_path / "data")


@pytest.fixture
def serve(world: World) -> Iterator[Serve]:
    """Starts servers on the world's data; all are stopped in the end."""
    running: list[Deployment] = []

    def start(*, clock: Clock | None = None, **settings: object) -> Deployment:
        clock = clock or Clock()
        free = {name: "127.0.0.1:0" for name in ("listen", "admin_listen", "metrics_listen")}
        given = {"data": world.data, "generation_poll_s": 0.05, "grace_s": 5.0, **free, **settings}
        server = Server.start(Settings(**given), now=clock)  # type: ignore[arg-type]
        client = Client(server.addresses.listen, server.addresses.admin_listen, timeout_s=20)
        running.append(Deployment(world, server, client, clock))
        return running[-1]

    yield start
    for deployment in running:
        deployment.client.close()
        deployment.server.stop()


@pytest.fixture
def live(pristine: Path, world: World, serve: Serve) -> Deployment:
    """A server that serves a generation of the whole world."""
    shutil.copytree(pristine / "generations", world.data / "generations")
    world.published = 1
    return serve()
