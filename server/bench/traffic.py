"""What callers ask for: requests ready to be sent, made of the people and items of a store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from types import MappingProxyType

import numpy as np

from recommender.columns import StringColumn
from recommender.conditions import compile_condition
from recommender.errors import InvalidInput
from recommender.events import SubjectKind
from recommender.generation import Generation
from recommender.store import Store
from recommender.times import MISSING_TIME, from_micros
from recommender.v1 import event_pb2, feed_pb2, types_pb2
from server.bench.floor import FLOOR

PAGE = 30
HISTORY, HISTORY_MORE = 50, 10
"""Known people have histories of so many events, or up to so many more, where the store has such people; otherwise of nearly so many."""
PEOPLE = 2_000
"""People that ask, at the most; half of the requests come from the `REGULARS` first of them."""
REGULARS = 50
RECENT = 5
"""Items that a session brings along in its request."""
MIX = MappingProxyType({"GetFeed": 0.7, "RecordEvents": 0.15, "GetSimilar": 0.1, "GetPopular": 0.05})
"""Shares of calls in mixed traffic."""
FEEDS = MappingProxyType({"known": 0.7, "new": 0.15, "session": 0.15})
"""Shares of askers among feeds."""
RARE = "rare"
"""An asker who is known, and none of the regulars: hardly any of their feeds was asked for before."""

FEED, EVENTS = "/recommender.v1.FeedService/", "/recommender.v1.EventService/"
METHODS = MappingProxyType(
    {
        "Empty": f"/{FLOOR}/Empty",
        "Canned": f"/{FLOOR}/Canned",
        "Shed": f"/{FLOOR}/Shed",
        "GetFeed": FEED + "GetFeed",
        "GetSimilar": FEED + "GetSimilar",
        "GetPopular": FEED + "GetPopular",
        "Search": FEED + "Search",
        "RecordEvents": EVENTS + "RecordEvents",
    }
)
"""Full names of what is called."""


@dataclass(frozen=True)
class Call:
    """One request: the short name of its method, and the message as bytes."""

    method: str
    message: bytes


@dataclass(frozen=True)
class Traffic:
    """An endless supply of requests: `known` users and `items` by their ids, `titles` to search for, and `filters` in CEL. Same `seed`,
    same requests."""

    known: Sequence[str]
    items: Sequence[str]
    titles: Sequence[str]
    filters: Sequence[str]
    seed: int

    @classmethod
    def of(cls, store: Store, generation: Generation, now: datetime, seed: int) -> Traffic:
        """Traffic of the people of a store. Raises `InvalidInput` where nobody or nothing is there."""
        known, others = list[str](), list[tuple[int, str]]()
        for subject, person in store.read_people(kind=SubjectKind.USER):
            apart = len(person.history) - HISTORY
            if 0 <= apart <= HISTORY_MORE:
                known.append(subject.id)
            else:
                others.append((abs(apart), subject.id))
            if len(known) == PEOPLE:
                break
        known += [user for _, user in nsmallest(PEOPLE - len(known), others)]
        catalogue = generation.contents.catalogue
        if not known or not catalogue.n:
            raise InvalidInput("data", "a store without people or items", "one with both, such as a world that was imported and built")
        rng = np.random.default_rng(seed)
        chosen = rng.choice(catalogue.n, min(catalogue.n, 5_000), replace=False)
        cards = catalogue.cards(chosen)
        return cls(known, [card.item_id for card in cards], [card.title for card in cards], filters_of(generation, now), seed)

    def mixed(self, part: int = 0) -> Iterator[Call]:
        """Calls of all methods by their shares; another `part`, other calls."""
        rng = np.random.default_rng([self.seed, part])
        while True:
            for name in rng.choice(list(MIX), 1_000, p=list(MIX.values())):
                yield self.call(str(name), rng)

    def only(self, method: str, part: int = 0, asker: str | None = None, events: int = 1) -> Iterator[Call]:
        """Calls of one method; feeds of one kind of `asker`, one of `FEEDS` or `RARE`, alone where given, `events` in one call."""
        rng = np.random.default_rng([self.seed, part])
        while True:
            yield self.call(method, rng, asker, events)

    def call(self, method: str, rng: np.random.Generator, asker: str | None = None, events: int = 1) -> Call:
        """One call of `method`."""
        match method:
            case "Empty":
                return Call(method, b"")
            case "GetFeed" | "Canned" | "Shed":
                return Call(method, self._feed(rng, asker or str(rng.choice(list(FEEDS), p=list(FEEDS.values())))))
            case "GetSimilar":
                return Call(method, feed_pb2.GetSimilarRequest(item_ids=[self._item(rng)], page_size=PAGE).SerializeToString())
            case "GetPopular":
                return Call(method, feed_pb2.GetPopularRequest(page_size=PAGE, filter=self._filter(rng)).SerializeToString())
            case "Search":
                return Call(method, feed_pb2.SearchRequest(query=self._typed(rng), page_size=PAGE).SerializeToString())
            case "RecordEvents":
                made = [self._event(rng) for _ in range(events)]
                return Call(method, event_pb2.RecordEventsRequest(events=made).SerializeToString())
        raise InvalidInput("method", method, ", ".join(METHODS))

    def _feed(self, rng: np.random.Generator, asker: str) -> bytes:
        request = feed_pb2.GetFeedRequest(page_size=PAGE, filter=self._filter(rng))
        match asker:
            case "known":
                request.subject.user_id = self._user(rng)
            case "rare":
                others = self.known[REGULARS:] or self.known
                request.subject.user_id = others[int(rng.integers(len(others)))]
            case "new":
                request.subject.user_id = f"newcomer-{rng.integers(2**62)}"
            case "session":
                request.subject.session_id = f"session-{rng.integers(2**62)}"
                request.context.recent_item_ids.extend(self._item(rng) for _ in range(RECENT))
        return request.SerializeToString()

    def _event(self, rng: np.random.Generator) -> event_pb2.Event:
        return event_pb2.Event(
            id=str(uuid.UUID(bytes=rng.bytes(16))),
            type=event_pb2.EventType.EVENT_TYPE_CLICK,
            subject=types_pb2.Subject(user_id=self._user(rng)),
            item_id=self._item(rng),
        )

    def _user(self, rng: np.random.Generator) -> str:
        regular = rng.random() < 0.5
        return self.known[int(rng.integers(min(REGULARS, len(self.known)) if regular else len(self.known)))]

    def _item(self, rng: np.random.Generator) -> str:
        return self.items[int(rng.integers(len(self.items)))]

    def _typed(self, rng: np.random.Generator) -> str:
        """The first words of a title, two of three times with a letter left out."""
        words = self.titles[int(rng.integers(len(self.titles)))].split()[:3]
        text = " ".join(words) or "nothing"
        at = int(rng.integers(len(text)))
        return text[:at] + text[at + 1 :] if rng.random() < 2 / 3 and len(text) > 3 else text

    def _filter(self, rng: np.random.Generator) -> str:
        return self.filters[int(rng.integers(len(self.filters)))] if self.filters else ""


def filters_of(generation: Generation, now: datetime) -> list[str]:
    """Filters that let different shares of the catalogue through: by kind, by language, by age as of `now`, and by two of them."""
    catalogue = generation.contents.catalogue
    language = catalogue.column("language")
    assert isinstance(language, StringColumn)
    counts = np.bincount(language.codes[language.codes >= 0], minlength=len(language.values))
    made = ['kind == "article" || kind == "media"', "price == null || price < 100.0"]
    if len(counts):
        made += [
            f'language == "{language.values[counts.argmax()]}"',
            f'language == "{language.values[counts.argmax()]}" && kind != "product"',
        ]
    dated = catalogue.published_at[catalogue.published_at != MISSING_TIME]
    if len(dated):
        half, newest = (from_micros(int(at)) for at in np.quantile(dated, [0.5, 0.9]))
        made += [
            f'published_at > now - duration("{int((now - half).total_seconds() // 3600)}h")',
            f'published_at > timestamp("{newest:%Y-%m-%dT%H:%M:%SZ}")',
        ]
    for each in made:
        compile_condition(each, catalogue.columns)
    return made
