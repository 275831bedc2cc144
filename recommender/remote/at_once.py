"""The same work on many files, some of them at a time, since each waits for the network most of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_ONCE = 4

T = TypeVar("T")


def at_once(work: Callable[..., T], given: Iterable[tuple[object, ...]]) -> list[T]:
    """What `work` returns for each of `given`, in their order. Raises what it raised first in that order; what had not begun is left."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="remote files") as pool:
        jobs = [pool.submit(work, *arguments) for arguments in given]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
