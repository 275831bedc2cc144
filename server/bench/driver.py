"""Drives a server with calls from a process of its own, and keeps when each was answered and how.

Closed: every connection sends its next call when the one before was answered, which finds out what a server can do. Open: calls are
sent at a constant rate whatever becomes of those before, and each is timed from the moment at which it should have been sent, so
that a server that stands still is not spared the calls that would have come meanwhile.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

import grpc
import numpy as np
import numpy.typing as npt

from recommender.client.failures import retry_after_of
from recommender.v1 import feed_pb2
from server.bench.traffic import METHODS, Call, Traffic

WAIT_S = 10.0
"""How long a call may take at the most; what takes longer has failed."""
OK = grpc.StatusCode.OK.value[0]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of calls, each array of shape (c,): `method` by place in `METHODS`; `latency` in seconds from when each was due;
    `code` of gRPC, 0 for OK; `degraded`, whether something was left out of the answer; `ended`, when it came, as a `time.monotonic()`
    value; `retry_s`, the seconds after which the server asks to be tried again, NaN where it does not; `generation`, the id of the
    generation that a feed is from, "" for other calls.

    `seconds`: from the first call to the last answer. `client_seconds`: processor time of the driving process.
    """

    method: npt.NDArray[np.int8]
    latency: npt.NDArray[np.float64]
    code: npt.NDArray[np.int16]
    degraded: npt.NDArray[np.bool_]
    ended: npt.NDArray[np.float64]
    retry_s: npt.NDArray[np.float64]
    generation: npt.NDArray[np.str_]
    seconds: float
    client_seconds: float

    def of(self, method: str) -> Outcomes:
        """Those of one method."""
        return self.where(self.method == list(METHODS).index(method))

    def where(self, chosen: npt.NDArray[np.bool_]) -> Outcomes:
        """Those that are `chosen`, shape (c,)."""
        arrays = ("method", "latency", "code", "degraded", "ended", "retry_s", "generation")
        return replace(self, **{name: getattr(self, name)[chosen] for name in arrays})

    def due_between(self, since: float, until: float) -> npt.NDArray[np.bool_]:
        """Which calls were due in that time, as `time.monotonic()` tells it; from `since` on where `until` is NaN."""
        due = self.ended - self.latency
        between: npt.NDArray[np.bool_] = (due >= since) & ~(due > until)
        return between

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """Which calls were answered."""
        good: npt.NDArray[np.bool_] = self.code == OK
        return good

    def percentiles(self) -> list[float]:
        """Latencies in ms of the answered calls: p50, p90, p99 and p99.9; NaN where there are none."""
        answered = self.latency[self.good]
        return [float(each) * 1e3 for each in np.percentile(answered, [50, 90, 99, 99.9])] if len(answered) else [float("nan")] * 4


@dataclass(frozen=True)
class _Answer:
    code: int
    message: bytes = b""
    retry_s: float = float("nan")


class _Log:
    def __init__(self) -> None:
        self._rows: list[tuple[int, float, int, bool, float, float, str]] = []
        self._lock = threading.Lock()

    def add(self, call: Call, latency: float, answer: _Answer) -> None:
        ended, degraded, generation = time.monotonic(), False, ""
        if call.method == "GetFeed" and answer.code == OK:
            info = feed_pb2.GetFeedResponse.FromString(answer.message).info
            degraded, generation = bool(info.degraded), info.generation_id
        with self._lock:
            place = list(METHODS).index(call.method)
            self._rows.append((place, latency, answer.code, degraded, ended, answer.retry_s, generation))

    def __len__(self) -> int:
        return len(self._rows)

    def outcomes(self, seconds: float, client_seconds: float) -> Outcomes:
        with self._lock:
            rows = list(self._rows)
        return Outcomes(
            method=np.array([row[0] for row in rows], dtype=np.int8),
            latency=np.array([row[1] for row in rows], dtype=np.float64),
            code=np.array([row[2] for row in rows], dtype=np.int16),
            degraded=np.array([row[3] for row in rows], dtype=np.bool_),
            ended=np.array([row[4] for row in rows], dtype=np.float64),
            retry_s=np.array([row[5] for row in rows], dtype=np.float64),
            generation=np.array([row[6] for row in rows], dtype=np.str_),
            seconds=seconds,
            client_seconds=client_seconds,
        )


class Connections:
    """`count` connections to a server, each with a transport of its own."""

    def __init__(self, address: str, count: int) -> None:
        self._channels = [
            grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.channel_id", place)])
            for place in range(count)
        ]
        self._calls: list[dict[str, grpc.UnaryUnaryMultiCallable[bytes, bytes]]] = [
            {name: channel.unary_unary(path) for name, path in METHODS.items()} for channel in self._channels
        ]

    def __len__(self) -> int:
        return len(self._calls)

    def method(self, connection: int, name: str) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
        """The method to be called over one of the connections."""
        return self._calls[connection][name]

    def close(self) -> None:
        """Close all connections."""
        for channel in self._channels:
            channel.close()


@dataclass(frozen=True)
class Wanted:
    """Which calls of a traffic: those of one `method`, its feeds of one kind of `asker` and its events so many in a call, or the mix where
    it is None. Another `part` makes other calls."""

    method: str | None = None
    asker: str | None = None
    events: int = 1
    part: int = 0

    def calls(self, traffic: Traffic) -> Iterator[Call]:
        """The calls, without end."""
        return traffic.mixed(self.part) if self.method is None else traffic.only(self.method, self.part, self.asker, self.events)


def closed(address: str, traffic: Traffic, wanted: Wanted, *, connections: int, seconds: float, most: int | None = None) -> Outcomes:
    """Send calls for so many `seconds`, `most` of them at the most, one after the other over each of the connections."""
    log, lock, made = _Log(), threading.Lock(), Connections(address, connections)
    source = islice(wanted.calls(traffic), most)
    stop_at = time.monotonic() + seconds

    def drive(connection: int) -> None:
        while time.monotonic() < stop_at:
            with lock:
                call = next(source, None)
            if call is None:
                return
            sent = time.perf_counter()
            answer = _answer(lambda call=call: made.method(connection, call.method)(call.message, timeout=WAIT_S))  # type: ignore[misc]
            log.add(call, time.perf_counter() - sent, answer)

    started, used = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=drive, args=(place,)) for place in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.perf_counter() - started, time.process_time() - used
    made.close()
    return log.outcomes(took, used)


def opened(
    address: str, traffic: Traffic, streams: Mapping[Wanted, float], *, connections: int, seconds: float, timeout_s: float = WAIT_S
) -> Outcomes:
    """Send the calls of each of `streams` at its rate per second for so many `seconds`, whatever becomes of them; then wait for the last
    answers, `timeout_s` for each."""
    log, made = _Log(), Connections(address, connections)
    due = sorted(
        (
            (place / rate, call)
            for wanted, rate in streams.items()
            for place, call in enumerate(islice(wanted.calls(traffic), int(seconds * rate)))
        ),
        key=lambda timed: timed[0],
    )
    for connection in range(connections):
        _answer(lambda place=connection: made.method(place, "Empty")(b"", timeout=WAIT_S))  # type: ignore[misc]
    started, used = time.perf_counter() + 0.05, time.process_time()
    for place, (after, call) in enumerate(due):
        at = started + after
        wait = at - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        future = made.method(place % connections, call.method).future(call.message, timeout=timeout_s)
        future.add_done_callback(lambda done, call=call, at=at: _note(log, call, at, done))  # type: ignore[misc]
    give_up = time.monotonic() + WAIT_S + 1
    while len(log) < len(due) and time.monotonic() < give_up:
        time.sleep(0.01)
    took, used = time.perf_counter() - started, time.process_time() - used
    made.close()
    return log.outcomes(took, used)


def stay_on(processor: int | None) -> None:
    """Keep this process on one processor; anywhere for None."""
    if processor is not None:
        os.sched_setaffinity(0, {processor})


def _note(log: _Log, call: Call, at: float, done: grpc.Future[bytes]) -> None:
    latency = time.perf_counter() - at
    log.add(call, latency, _answer(done.result))


def _answer(ask: Callable[[], bytes]) -> _Answer:
    try:
        return _Answer(OK, ask())
    except grpc.RpcError as error:
        retry_s = retry_after_of(error)
        return _Answer(int(error.code().value[0]), retry_s=float("nan") if retry_s is None else retry_s)
