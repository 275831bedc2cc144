"""A process of its own that writes into a store, for the tests: prints a line for each thing that was acknowledged.

writing_program.py STORE events PREFIX COUNT SIZE   COUNT calls of SIZE events with the ids PREFIX-0, PREFIX-1, …
writing_program.py STORE links PREFIX USER          for the sessions PREFIX-0, PREFIX-1, … an event each, on item after item, then a link to
                                                    USER, until COUNT where that follows
writing_program.py STORE until-full                 calls of big events until the file may not grow; then again with room
writing_program.py STORE keys                       the token keys, in hex
writing_program.py STORE migrate                    the schema version after migrating
writing_program.py STORE migrate-full               what comes of migrating while no file may grow beyond 50 kB
writing_program.py STORE modules                    opens and reads; prints which of some heavy modules that took
"""

from __future__ import annotations

import resource
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from recommender.errors import AlreadyLinked, StoreUnwritable
from recommender.events import Consent, Event, EventType, Subject
from recommender.store import Store, migrate_store, open_store

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
HEAVY = ("psycopg", "alembic", "sqlalchemy", "grpc", "pandas", "torch", "google.protobuf")


def say(*words: object) -> None:
    print(*words, flush=True)


def write_events(store: Store, prefix: str, calls: int, size: int) -> None:
    for call in range(calls):
        ids = [f"{prefix}-{place}" for place in range(call * size, (call + 1) * size)]
        events = [Event(event_id, EventType.CLICK, Subject.user(prefix), "i1") for event_id in ids]
        for outcome in store.record_events(events, now=NOW, consent_default=Consent.ALL):
            say(outcome.status.value, outcome.event_id)


def link_sessions(store: Store, prefix: str, user: str, most: int | None) -> None:
    for place in count() if most is None else range(most):
        session = f"{prefix}-{place}"
        event = Event(f"{user}-{session}", EventType.CLICK, Subject.session(session), f"i{place % 600 + 1}")
        store.record_events([event], now=NOW, consent_default=Consent.ALL)
        try:
            say("linked" if store.link_session(session, user).new else "known", place)
        except AlreadyLinked:
            say("refused", place)


def big_event(place: int) -> Event:
    return Event(f"big-{place}", EventType.CLICK, Subject.user("big"), "i1", token="x" * 1000, context={"page": "y" * 200})


def write_until_full(store: Store, path: Path) -> None:
    largest = max(file.stat().st_size for file in path.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 400_000, resource.RLIM_INFINITY))
    place = 0
    try:
        while place < 100_000:
            events = [big_event(place + step) for step in range(10)]
            for outcome in store.record_events(events, now=NOW, consent_default=Consent.ALL):
                say(outcome.status.value, outcome.event_id)
            place += 10
    except StoreUnwritable as error:
        say("unwritable", error)
    say("known", len(store.read_person(Subject.user("big")).person.history))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    (outcome,) = store.record_events([big_event(1_000_000)], now=NOW, consent_default=Consent.ALL)
    say("again", outcome.status.value)


def main(place: str, what: str, *arguments: str) -> None:
    if what == "migrate":
        say(migrate_store(place))
        return
    if what == "migrate-full":
        # Room for the shared memory file (32 kB) and for some of the tables.
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
        try:
            say(migrate_store(place))
        except StoreUnwritable as error:
            say("unwritable", error)
        return
    with open_store(place) as store:
        if what == "events":
            prefix, calls, size = arguments
            write_events(store, prefix, int(calls), int(size))
        elif what == "links":
            prefix, user, *most = arguments
            link_sessions(store, prefix, user, int(most[0]) if most else None)
        elif what == "until-full":
            write_until_full(store, Path(place))
        elif what == "keys":
            say(*[f"{key_id}:{secret.hex()}" for key_id, secret in store.token_keys()])
        elif what == "modules":
            store.read_person(Subject.user("u"))
            say(*[module for module in HEAVY if module in sys.modules])


if __name__ == "__main__":
    main(*sys.argv[1:])
