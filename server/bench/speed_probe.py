"""A process that stays on one processor and probes again and again how fast Python runs there."""

from __future__ import annotations

import os
import select
import signal
import time
from array import array
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median_low

import numpy as np

from server.bench.steadiness import Speeds

EVERY_S = 0.02
LOOPS, ROUNDS = 600, 3
"""Length of the loop, and how often a probe goes through it: .1 to .2 ms in all, about one hundredth of the time."""
END_S = 5.0


class SpeedProbe:
    """Probes `processor`, or wherever it happens to run where that is None, while the block runs, every `EVERY_S` seconds.

    What counts is processor time of the probe's own, so that it does not matter how long it had to wait for others on the processor. Its
    process ends with the block, and with the process that started it, however that ends.
    """

    def __init__(self, processor: int | None) -> None:
        # Spawned: the threads of gRPC and of numerical libraries do not survive a fork.
        spawning = get_context("spawn")
        self._ours, self._its = spawning.Pipe()
        self._process = spawning.Process(target=_probe, args=(self._its, processor), name="speed probe", daemon=True)

    def __enter__(self) -> SpeedProbe:
        self._process.start()
        # Were it open here too, one would wait for ever for what a probe that was killed has to say.
        self._its.close()
        self._ours.recv()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ours.close()
        self._process.join(END_S)
        self._process.kill()

    @property
    def pid(self) -> int:
        """The probe's process."""
        assert self._process.pid is not None
        return self._process.pid

    def speeds(self) -> Speeds:
        """All probes so far. Raises `EOFError` where its process has ended."""
        self._ours.send(None)
        at, took = self._ours.recv()
        return Speeds(np.array(at), np.array(took))


def _probe(connection: Connection, processor: int | None) -> None:
    # Who pressed Ctrl-C ends the benchmark, and that the connection.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    at, took = array("d"), array("d")
    asked = select.poll()
    asked.register(connection.fileno(), select.POLLIN)
    connection.send(None)
    due = time.monotonic()
    while True:
        # In milliseconds, and without end where it is negative.
        if asked.poll(max(0.0, 1e3 * (due - time.monotonic()))):
            try:
                connection.recv()
                connection.send((at, took))
            except (EOFError, OSError):
                return
            continue
        took.append(median_low(_round() for _ in range(ROUNDS)))
        at.append(time.monotonic())
        due = at[-1] + EVERY_S


def _round() -> float:
    """Processor seconds of a loop. The first of some finds caches that are others', which is why the one in the middle is told."""
    started, total = time.thread_time(), 0
    for number in range(LOOPS):
        total += number & 7
    return time.thread_time() - started
