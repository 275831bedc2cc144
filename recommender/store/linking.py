"""Making two people one: a session that turns out to be a user's, and a user who turns out to be another.

Whoever joins another keeps the number that their events have, and points to the person whose state theirs has become.
"""

from __future__ import annotations

from recommender.errors import AlreadyLinked
from recommender.events import Subject, SubjectKind
from recommender.store import people
from recommender.store.connection import Connection
from recommender.store.counting import take
from recommender.store.joining import joined
from recommender.store.people import Key, Known
from recommender.store.profiles import State
from recommender.store.records import Linked

_LOG = "INSERT INTO links (sequence, person, same_as) VALUES (?, ?, ?)"
# Chains are short-cut where they are made, so that a read of a person follows one link at the most.
_POINT = "UPDATE people SET same_as = ? WHERE number = ? OR same_as = ?"
_NAME = "SELECT kind, id FROM people WHERE number = ?"


def link(connection: Connection, who: Subject, into: Subject) -> Linked:
    """Have `who` be the same person as the user `into` from now on; see `Store.link_session` and `Store.merge_users`."""
    who_key, into_key = (int(who.kind), who.id), (int(into.kind), into.id)
    found, own_numbers = people.found_or_new(connection, [who_key, into_key])
    leaving, person = found[who_key], found[into_key]
    whole = _subject(connection, into_key, into_key in own_numbers, person)
    if leaving.number == person.number:
        if who_key in own_numbers:
            return Linked(whole, new=False)
        raise AlreadyLinked(f"{_name(into)} is {_name(who)} already, so that the latter cannot become the former")
    if who_key in own_numbers:
        owner = _subject(connection, who_key, True, leaving)
        raise AlreadyLinked(f"{_name(who)} is {_name(owner)} already, and cannot become {_name(into)}")
    people.write(connection, [(into_key, _both(person, leaving)), (who_key, leaving._replace(state=State()))])
    connection.execute(_POINT, (person.number, leaving.number, leaving.number))
    (sequence,) = take(connection, "sequence", 1)
    connection.execute(_LOG, (sequence, leaving.number, person.number))
    return Linked(whole, new=True)


def _both(person: Known, leaving: Known) -> Known:
    """`person` after `leaving` has joined them. What was last said holds, of words of the same time what both allow."""
    if person.consent_at == leaving.consent_at:
        consent = person.consent & leaving.consent
    else:
        consent = max(person, leaving, key=lambda each: each.consent_at).consent
    return person._replace(
        consent_at=max(person.consent_at, leaving.consent_at),
        consent_floor=person.consent_floor & leaving.consent_floor,
        consent=consent,
        state=joined(person.state, leaving.state),
    )


def _subject(connection: Connection, key: Key, is_alias: bool, known: Known) -> Subject:
    """Who the person is whom `key` leads to."""
    kind, subject_id = connection.execute(_NAME, (known.number,)).fetchone() if is_alias else key
    return Subject(SubjectKind(kind), subject_id)


def _name(subject: Subject) -> str:
    return f"{subject.kind.name.lower()} {subject.id!r}"
