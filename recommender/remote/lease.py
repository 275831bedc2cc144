"""A lease that is held for as long as a block takes, renewed by a thread beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from recommender.errors import Locked, StoreError
from recommender.generation.writer_lock import this_process
from recommender.store import Lease, Store

LENGTH = timedelta(seconds=60)
"""So long a dead writer keeps others away, and so long one that lives may be out of the store's reach."""
RENEWALS = 4
"""How often a lease is renewed within its length."""

Clock = Callable[[], datetime]


class LeaseLost(Locked):
    """Another writer has the lease now."""


class HeldLease:
    """A `lease` that is being renewed; made by `held_lease`."""

    def __init__(self, store: Store, lease: Lease, clock: Clock, length: timedelta) -> None:
        self.lease = lease
        self._store = store
        self._clock = clock
        self._length = length

    @property
    def fence(self) -> int:
        """The lease's number, higher than that of every holder before."""
        return self.lease.fence

    def check(self) -> None:
        """Renew it. Raises `LeaseLost` where somebody else has taken it, and `StoreError` where that cannot be found out."""
        if not self._store.renew_lease(self.lease, now=self._clock(), length=self._length):
            other = self._store.lease(self.lease.name)
            whom = "nobody any more" if other is None or other.fence == self.lease.fence else f"{other.owner} ({other.purpose})"
            raise LeaseLost(
                f"the {self.lease.purpose} of {self.lease.owner} did not renew its lease in time and lost it; held by {whom} now: "
                "nothing that is served was changed"
            )


@contextmanager
def held_lease(store: Store, name: str, purpose: str, clock: Clock, *, length: timedelta = LENGTH) -> Iterator[HeldLease]:
    """Hold the lease `name` for a `purpose` while the block runs; given back at its end. Raises `Locked` saying who has it."""
    held = HeldLease(store, store.take_lease(name, owner=this_process(), purpose=purpose, now=clock(), length=length), clock, length)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(length.total_seconds() / RENEWALS):
            # Whoever relies on it checks it, and is told then.
            with suppress(StoreError, LeaseLost):
                held.check()

    renewing = threading.Thread(target=renew, name=f"lease-{name}", daemon=True)
    renewing.start()
    try:
        yield held
    finally:
        done.set()
        renewing.join()
        # Where the store is out of reach, it runs out by itself.
        with suppress(StoreError):
            store.release_lease(held.lease)
