"""Leases: turns at something that lies outside of the store, such as generations on an object store, and has no lock of its own.

A lease runs out unless its holder renews it, so that a dead holder keeps nobody away for long. Whoever takes one gets a fence, a number
that grows with each taking: a holder who fell asleep and wakes up after another one has taken the lease is known by the lower number.
See Burrows, "The Chubby lock service for loosely-coupled distributed systems" (OSDI 2006), section 2.4, where they are called sequencers.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from recommender.errors import Locked
from recommender.store.connection import Connection, Readers
from recommender.store.records import Lease
from recommender.times import from_micros, to_micros

_READ = "SELECT fence, owner, purpose, until FROM leases WHERE name = ?"
_FIRST = "INSERT INTO leases (name, fence, owner, purpose, until) VALUES (?, 1, ?, ?, ?)"
_NEXT = "UPDATE leases SET fence = ?, owner = ?, purpose = ?, until = ? WHERE name = ?"
_RENEW = "UPDATE leases SET until = ? WHERE name = ? AND fence = ? AND until > 0"
_RELEASE = "UPDATE leases SET until = 0 WHERE name = ? AND fence = ?"


def take(connection: Connection, name: str, owner: str, purpose: str, now: datetime, length: timedelta) -> Lease:
    """See `Store.take_lease`. Writers of the store take turns, so that nobody else takes it between the look and the write."""
    held = connection.execute(_READ, (name,)).fetchone()
    until = now + length
    if held is None:
        connection.execute(_FIRST, (name, owner, purpose, to_micros(until)))
        return Lease(name, 1, owner, purpose, until)
    fence, holder, its_purpose, ends = held
    if ends > to_micros(now):
        raise Locked(
            f"another {its_purpose} is running: {holder}, by a lease in the store that ends at "
            f"{from_micros(ends).isoformat(timespec='seconds')} unless it is renewed; try again when it has ended"
        )
    connection.execute(_NEXT, (fence + 1, owner, purpose, to_micros(until), name))
    return Lease(name, fence + 1, owner, purpose, until)


def renew(connection: Connection, lease: Lease, now: datetime, length: timedelta) -> bool:
    """See `Store.renew_lease`."""
    return connection.execute(_RENEW, (to_micros(now + length), lease.name, lease.fence)).rowcount == 1


def release(connection: Connection, lease: Lease) -> None:
    """See `Store.release_lease`."""
    connection.execute(_RELEASE, (lease.name, lease.fence))


def last(readers: Readers, name: str) -> Lease | None:
    """See `Store.lease`."""
    held = readers.one(_READ, (name,))
    return None if held is None else Lease(name, held[0], held[1], held[2], from_micros(held[3]))
