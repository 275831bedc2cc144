"""The one thread of a process that writes: it commits what is waiting in groups, so that many callers share one sync of the disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from itertools import groupby
from typing import Any, TypeVar

from recommender.errors import StoreBusy, StoreError
from recommender.store.connection import Connection, closed
from recommender.store.database import Database
from recommender.store.filelock import LOCK_TIMEOUT_S

GROUP_JOBS = 256
"""Jobs committed together, at most."""

GROUP_WEIGHT = 20_000
"""Rows committed together, at most, unless one job alone has more."""

T = TypeVar("T")


Joint = Callable[[Connection, Sequence[Any]], Sequence[Any]]
"""Work for several callers at once, by what each of them gave; the result of each, in their order."""


class _Job:
    """Something to be done with what was `given`, in a transaction, and the promise of its result."""

    def __init__(self, work: Joint, given: Any, weight: int) -> None:
        self.work = work
        self.given = given
        self.weight = weight
        self.future: Future[Any] = Future()
        self.result: Any = None


class Committer:
    """Runs jobs in a thread of its own, each within its own savepoint, and answers once their common commit is on the disk.

    Between processes the database's writers take turns, one for each group. A job that fails alone is rolled back alone
    and its error raised in its caller; where the commit fails, every job of the group fails and nothing of it is kept.
    Nothing that goes wrong ends the thread: it is raised in the callers whose jobs it hit, and the next group starts afresh.
    """

    def __init__(self, database: Database, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self._database = database
        self._lock_timeout_s = lock_timeout_s
        self._writer = database.writer()
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="store-committer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Connection], T], *, weight: int) -> T:
        """Do `work` in a transaction and return its result once that is durable; `weight` is about how many rows it writes.

        Raises what `work` raised, `StoreUnwritable` where it cannot be written, `StoreBusy` where the job's turn did not come
        in time; in all these cases nothing of it was kept.
        """

        def alone(connection: Connection, given: Sequence[Any]) -> list[T]:
            return [work(connection)]

        result: T = self.run_joint(alone, None, weight=weight)
        return result

    def run_joint(self, work: Joint, given: Any, *, weight: int) -> Any:
        """Like `run`, of `work` that is done once for what several callers gave who wait one behind the other for the same.

        Where that fails, it is done for each of them alone, so that one who cannot be helped does not hold up the others.
        """
        job = _Job(work, given, weight)
        with self._changed:
            if self._closing:
                raise closed(self._database.name)
            self._waiting.append(job)
            self._changed.notify()
        try:
            return job.future.result(timeout=self._lock_timeout_s)
        except FutureTimeout:
            # A job that is being worked on is waited for; only one whose turn has not come may be given up.
            if job.future.cancel():
                raise StoreBusy(
                    f"{self._database.name} is being written by others; its lock was not free for {self._lock_timeout_s:.0f} s; try again"
                ) from None
            return job.future.result()

    def close(self) -> None:
        """Commit what is waiting and end the thread."""
        with self._changed:
            already = self._closing
            self._closing = True
            self._changed.notify()
        # Bounded, since another process may hold the lock for ever; the jobs' callers have given up by then.
        self._thread.join(timeout=2 * self._lock_timeout_s)
        if not already and not self._thread.is_alive():
            self._writer.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                if not self._waiting:
                    break
            group: list[_Job] | None = None
            try:
                with self._writer.turn() as connection:
                    group = self._next_group()
                    self._commit(connection, group)
            except BaseException as error:
                self._fail(self._next_group() if group is None else group, self._meaning(error))

    def _next_group(self) -> list[_Job]:
        group: list[_Job] = []
        weight = 0
        with self._changed:
            while self._waiting and len(group) < GROUP_JOBS and (not group or weight + self._waiting[0].weight <= GROUP_WEIGHT):
                job = self._waiting.popleft()
                if job.future.set_running_or_notify_cancel():
                    group.append(job)
                    weight += job.weight
        return group

    def _commit(self, connection: Connection, group: list[_Job]) -> None:
        done = [job for _, joint in groupby(group, lambda job: job.work) for job in self._done(connection, list(joint))]
        connection.commit()
        for job in done:
            job.future.set_result(job.result)
        self._writer.wrote(sum(job.weight for job in done))

    def _done(self, connection: Connection, jobs: list[_Job]) -> list[_Job]:
        """Those of `jobs`, which share their work, that succeeded; raises where the whole transaction is lost."""
        connection.execute("SAVEPOINT job")
        try:
            for job, result in zip(jobs, jobs[0].work(connection, [job.given for job in jobs]), strict=True):
                job.result = result
        except BaseException as error:
            # After some errors, a full disk or a lost connection among them, everything has been rolled back already.
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
            if len(jobs) > 1:
                return [done for job in jobs for done in self._done(connection, [job])]
            jobs[0].future.set_exception(self._database.meaning(error) if isinstance(error, self._database.errors) else error)
            return []
        connection.execute("RELEASE job")
        return jobs

    def _fail(self, group: list[_Job], error: StoreError) -> None:
        for job in group:
            if not job.future.done():
                job.future.set_exception(type(error)(*error.args))

    def _meaning(self, error: BaseException) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if isinstance(error, self._database.errors):
            return self._database.meaning(error)
        return StoreError(f"{self._database.name}: {type(error).__name__}")
