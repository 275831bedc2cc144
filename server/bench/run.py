"""Measures a server: starts it on one processor, drives it from another one, and reads what it used off the kernel's clocks."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from recommender.client import Client
from recommender.errors import InvalidInput
from recommender.generation import Generations
from recommender.generation.folder import CURRENT
from recommender.machine import interpreter, processor
from recommender.placements import Placements, load_placements
from recommender.served_profile import served_profile
from recommender.settings import load_settings
from recommender.store import open_store
from server.bench.breakdown import stages_of_a_feed
from server.bench.clocks import memory_of, processor_seconds
from server.bench.composing import costs_of_composing
from server.bench.copies import activate_only, copied, copy_store
from server.bench.driver import OK, WAIT_S, Outcomes, Wanted, closed, opened, stay_on
from server.bench.overload import OVERLOAD, PATIENCE_S, SHED, overload_row
from server.bench.speed_probe import SpeedProbe
from server.bench.steadiness import Speeds
from server.bench.swap import SLOW_FEEDS, feeds_row, publish, seconds_to, twin_of
from server.bench.traffic import FEEDS, RARE, Traffic
from server.bench.undisturbed import Spent, costs_of, watched
from server.launching import on_processor, serving
from server.native_threads import single_threaded

IDLE_S = 2.0
SHARES = (0.25, 0.5, 0.7)
"""Shares of saturation at which latencies are taken."""
EVENTS_PER_SECOND = 500
BATCH = 100
WARM, WARM_S, WARM_TIMES = 3_000, 60.0, 12
"""Mixed calls that a server has answered before anything is measured, and the longest that these may take: a minute, and so many times as
long as a figure."""
SWAP_AFTER_S, SETTLE_S = 2.0, 3.0
FREE = "127.0.0.1:0"
PROFILED = 2_000
"""Feeds whose stages are told apart."""

SINGLE = {
    "Empty": Wanted("Empty"),
    "Canned": Wanted("Canned"),
    "Shed": Wanted("Shed"),
    "GetFeed": Wanted("GetFeed"),
    **{f"GetFeed, {asker}": Wanted("GetFeed", asker) for asker in (*FEEDS, RARE)},
    "GetSimilar": Wanted("GetSimilar"),
    "GetPopular": Wanted("GetPopular"),
    "Search": Wanted("Search"),
    "RecordEvents": Wanted("RecordEvents"),
}
"""What is measured by itself."""

Made = TypeVar("Made")
Figures = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How long and how often is measured: `seconds` for each figure, and at least `swap_seconds` for a change of generations, over
    `connections`; `runs` of everything, of which medians are told.
    `server_processor` and `client_processor`: where each stays; None for anywhere."""

    seconds: float = 5.0
    connections: int = 8
    runs: int = 3
    seed: int = 1
    swap_seconds: float = 20.0
    server_processor: int | None = None
    client_processor: int | None = None
    profile: bool = False
    """Whether the stages of a feed are told apart as well."""
    placements: Path | None = None
    """File of the placements that are served, the first of which is asked for; the default one without it."""

    @classmethod
    def with_processors(cls, **given: Any) -> Plan:
        """The plan on the first two processors that this process may use, or on the one there is."""
        there = sorted(os.sched_getaffinity(0))
        return cls(**given, server_processor=there[0], client_processor=there[1 % len(there)])


def measure(data: Path, plan: Plan, told: Callable[[str], None] = lambda sentence: None) -> Figures:
    """All figures of a server on a copy of the store below `data`, as JSON shows them. `told` gets a sentence on each step.

    Raises `InvalidInput` where there is no store or no generation.
    """
    settings = load_settings(data=data)
    generations = Generations(settings.generations_path)
    current = generations.current_id()
    if current is None or not settings.sqlite_file("recommender bench serve").exists():
        raise InvalidInput("data", str(data), "a folder with a store and an active generation")
    with copied(data, current) as copy, ProcessPoolExecutor(1, get_context("spawn"), stay_on, (plan.client_processor,)) as pool:
        generation = generations.load(current)
        with open_store(copy / "store.sqlite") as store:
            counts = store.counts()
            traffic = Traffic.of(store, generation, datetime.now(UTC), plan.seed)
        manifest, placement = generation.manifest, (load_placements(plan.placements) if plan.placements else Placements.default()).get("")
        inputs = {
            "data": data.name,
            "items": manifest.items,
            "events in the store": counts.events,
            "people asking": len(traffic.known),
            "generation": current,
            "megabytes on disk": round(sum(entry.size for entry in manifest.files.values()) / 1e6),
            "served profile": served_profile(generation.settings, placement),
            "placements": "the default one" if plan.placements is None else plan.placements.name,
            "build settings": generation.settings.hash,
            "connections": plan.connections,
            "server processes": f"1, with all {plan.connections} connections",
            "seconds": plan.seconds,
            "runs": plan.runs,
            "processors": f"server on {plan.server_processor}, load on {plan.client_processor}, of {os.cpu_count()}",
            "machine": processor(),
            "interpreter": interpreter(),
            "versions": {name: version(name) for name in ("content-recommender", "grpcio", "numpy", "faiss-cpu")},
        }
        del generation
        runs, spent, speeds = list[Figures](), list[dict[str, Spent]](), list[Speeds]()
        for number in range(plan.runs):
            told(f"run {number + 1} of {plan.runs}")
            if number:
                copy_store(data, copy)
            activate_only(copy / "generations", current)
            figures, of_methods, of_processor = _run(copy, plan, traffic, pool, number, told)
            runs.append(figures)
            spent.append(of_methods)
            speeds.append(of_processor)
        # At the end, so that full speed is that of all the runs: in one of them it may have been rare.
        costs, inputs["undisturbed"] = costs_of(spent, Speeds.joined(speeds))
        figures = {"inputs": inputs, **_medians(runs), "worst run": _worst(runs)}
        figures["methods"] = {name: costs[name] | row for name, row in figures["methods"].items()}
        figures["saturation"]["feeds/s alone"] = 1e3 / figures["methods"]["GetFeed"]["server ms"]
        if plan.profile:
            told("the stages of a feed")
            copy_store(data, copy)
            activate_only(copy / "generations", current)
            figures["composing"] = _pinned(plan, costs_of_composing, copy, traffic, PROFILED)
            figures["profile"] = _profile(copy, plan, traffic, 1e3 * figures["methods"][f"GetFeed, {RARE}"]["server ms in all"])
    return figures


def _profile(copy: Path, plan: Plan, traffic: Traffic, whole: float) -> Figures:
    """The stages of a feed for a known person who is no regular, and what gRPC and threads around the handler take of the `whole`, in
    µs; all of it of all the time, undisturbed or not."""
    stages = _pinned(plan, stages_of_a_feed, copy, traffic, PROFILED, plan.placements)
    stages["gRPC, threads, and work beside it"] = whole - sum(stages.values())
    return {stage: {"µs": each, "share": each / whole} for stage, each in stages.items()} | {"whole": {"µs": whole, "share": 1.0}}


def _pinned(plan: Plan, work: Callable[..., Made], *given: object) -> Made:
    """What `work` makes in a process of its own on the server's processor."""
    single_threaded()
    with ProcessPoolExecutor(1, get_context("spawn"), stay_on, (plan.server_processor,)) as pool:
        return pool.submit(work, *given).result()


def _run(
    copy: Path, plan: Plan, traffic: Traffic, pool: ProcessPoolExecutor, number: int, told: Callable[[str], None]
) -> tuple[Figures, dict[str, Spent], Speeds]:
    """The figures of one server, what it spent on each method by itself, and how fast its processor was while it did."""
    log = copy / "server.log"
    offered = () if plan.placements is None else ("--placements", str(plan.placements.resolve()))
    with serving(
        copy, "--floor", *offered, listen=FREE, admin_listen=FREE, metrics_listen=FREE, log=log, processor=plan.server_processor
    ) as server:
        started = time.monotonic()
        with Client(server.addresses["listen"]) as client:
            client.wait_until_serving()
        start_s = server.seconds + time.monotonic() - started
        driving = _Driving(pool, server.addresses["listen"], server.pid, plan, traffic, 100 * number)
        # So many and not so long: how much is made anew goes by how much was asked for before.
        driving.closed(Wanted(), min(WARM_S, WARM_TIMES * plan.seconds), WARM)
        idle = driving.idle()
        # Only here, so that latencies and saturation are what they are without a probe.
        with SpeedProbe(plan.server_processor) as probe:
            singles = {name: driving.single(wanted, idle) for name, wanted in SINGLE.items()}
            speeds = probe.speeds()
        told(f"a feed takes {singles['GetFeed'][1].ms:.2f} ms of the server's processor")
        saturation, outcomes = driving.closed(Wanted(), plan.seconds)
        full = int(outcomes.good.sum()) / outcomes.seconds
        told(f"saturated at {full:,.0f} calls a second")
        figures = {
            "start": {"seconds to serving": start_s, **_start_parts(log)},
            "methods": {name: row for name, (row, _) in singles.items()},
            "saturation": {
                "calls/s": full,
                "server ms per call": saturation * 1e3 / max(int(outcomes.good.sum()), 1),
                "client ms per call": outcomes.client_seconds * 1e3 / max(len(outcomes.code), 1),
                "failed": int((~outcomes.good).sum()),
            },
            "latency": {f"{share:.0%} of saturation": driving.latencies({Wanted(): share * full}) for share in SHARES},
        }
        beside = driving.opened({Wanted("GetFeed"): 0.25 * full, Wanted("RecordEvents"): EVENTS_PER_SECOND})
        figures["events beside feeds"] = _latency_row(beside.of("RecordEvents"))
        figures["overload"] = {
            label: overload_row(driving.opened({Wanted(): OVERLOAD * full}, timeout_s=patience), plan.seconds, full)
            for label, patience in PATIENCE_S.items()
        }
        told("a new generation takes over")
        figures["swap"], figures["swapped"] = driving.swapped({Wanted(): 0.5 * full}, copy / "generations")
        # Last, since they make histories many times as long.
        _, batches = driving.closed(Wanted("RecordEvents", events=BATCH), plan.seconds)
        figures["events in batches"] = {"events/s": BATCH * int(batches.good.sum()) / batches.seconds, "failed": int((~batches.good).sum())}
        memory = memory_of(server.pid)
        figures["memory"] = {"resident MB": memory.resident, "private MB": memory.private, "shared MB": memory.shared}
        return figures, {name: spent for name, (_, spent) in singles.items()}, speeds


class _Driving:
    """Drives one server; every figure is of other calls."""

    def __init__(self, pool: ProcessPoolExecutor, address: str, pid: int, plan: Plan, traffic: Traffic, part: int) -> None:
        self._pool, self._address, self._pid, self._plan, self._traffic = pool, address, pid, plan, traffic
        self._part = part

    def idle(self) -> float:
        """Processor seconds that the server uses in a second without calls."""
        before = processor_seconds(self._pid)
        time.sleep(IDLE_S)
        return (processor_seconds(self._pid) - before) / IDLE_S

    def closed(self, wanted: Wanted, seconds: float, most: int | None = None) -> tuple[float, Outcomes]:
        """Calls one after the other, `most` at the most: processor seconds of the server, and what became of them."""
        before = processor_seconds(self._pid)
        outcomes = self._closing(wanted, seconds, most).result()
        return processor_seconds(self._pid) - before, outcomes

    def _closing(self, wanted: Wanted, seconds: float, most: int | None = None) -> Future[Outcomes]:
        return self._pool.submit(
            closed, self._address, self._traffic, self._other(wanted), connections=self._plan.connections, seconds=seconds, most=most
        )

    def single(self, wanted: Wanted, idle: float) -> tuple[Figures, Spent]:
        """How long the calls of one method take and what the server spends on them; `idle`: processor seconds that it uses in a second
        without calls."""
        # Whoever looks at the server's clock is not to take its processor.
        with on_processor(self._plan.client_processor):
            outcomes, spent = watched(self._pid, self._closing(wanted, self._plan.seconds), idle)
        calls = max(len(outcomes.code), 1)
        p50, _, p99, _ = outcomes.percentiles()
        expected = SHED if wanted.method == "Shed" else OK
        row = {
            "client ms": outcomes.client_seconds * 1e3 / calls,
            "p50 ms": p50,
            "p99 ms": p99,
            "calls/s": calls / outcomes.seconds,
            "failed": int((outcomes.code != expected).sum()),
        }
        return row, spent

    def opened(self, streams: dict[Wanted, float], **options: float) -> Outcomes:
        """Calls at constant rates."""
        return self._opening(streams, **options).result()

    def _opening(self, streams: dict[Wanted, float], *, seconds: float | None = None, timeout_s: float = WAIT_S) -> Future[Outcomes]:
        return self._pool.submit(
            opened,
            self._address,
            self._traffic,
            {self._other(wanted): rate for wanted, rate in streams.items()},
            connections=self._plan.connections,
            seconds=self._plan.seconds if seconds is None else seconds,
            timeout_s=timeout_s,
        )

    def swapped(self, streams: dict[Wanted, float], generations: Path) -> tuple[Figures, Figures]:
        """Feeds while nothing else happens and while a new generation takes over, and how the change went.

        It takes over from when it was published until `SETTLE_S` after its first feed, by when the old one is given back. The process's
        memory is taken again `SETTLE_S` after the last call.
        """
        twin = twin_of(generations, (generations / CURRENT).read_text(encoding="ascii").strip())
        seconds = max(self._plan.seconds, self._plan.swap_seconds)
        before = memory_of(self._pid)
        usual = self._opening(streams, seconds=seconds).result().of("GetFeed")
        coming = self._opening(streams, seconds=seconds)
        # Not before the calls have begun, and with time enough for the change to end while they go on.
        time.sleep(SWAP_AFTER_S)
        published = time.monotonic()
        publish(generations, twin)
        feeds = coming.result().of("GetFeed")
        first_s = seconds_to(feeds, twin, published)
        meanwhile = feeds.where(feeds.due_between(published, published + first_s + SETTLE_S))
        time.sleep(SETTLE_S)
        after = memory_of(self._pid)
        p99 = usual.percentiles()[2] / 1e3
        return {"without": feeds_row(usual, p99), "while it takes over": feeds_row(meanwhile, p99)}, {
            "seconds to the first feed": first_s,
            "resident MB before": before.resident,
            "resident MB after": after.resident,
            "private MB before": before.private,
            "private MB after": after.private,
        }

    def latencies(self, streams: dict[Wanted, float]) -> Figures:
        """How long calls at constant rates take."""
        return _latency_row(self.opened(streams))

    def _other(self, wanted: Wanted) -> Wanted:
        self._part += 1
        return Wanted(wanted.method, wanted.asker, wanted.events, self._part)


def _start_parts(log: Path) -> Figures:
    """Of what the start consisted, as the last server that wrote to `log` tells: seconds by the clock, and of processor time in all."""
    names = {"interpreter": "interpreter_s", "imports": "imports_s", "generation": "generation_s", "rest": "rest_s"}
    names["processor seconds in all"] = "processor_s"
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    told = [record for record in records if record.get("message") == "started"]
    return {name: told[-1][key] for name, key in names.items()} if told else {}


def _latency_row(outcomes: Outcomes) -> Figures:
    p50, p90, p99, most = outcomes.percentiles()
    return {
        "calls/s": len(outcomes.code) / outcomes.seconds,
        "p50 ms": p50,
        "p90 ms": p90,
        "p99 ms": p99,
        "p99.9 ms": most,
        "failed": int((~outcomes.good).sum()),
        "degraded": int(outcomes.degraded.sum()),
    }


def _medians(runs: list[Figures]) -> Figures:
    """The median of each figure over the runs."""
    first = runs[0]
    return {
        name: _medians([run[name] for run in runs]) if isinstance(value, dict) else median(run[name] for run in runs)
        for name, value in first.items()
    }


def _worst(runs: list[Figures]) -> Figures:
    """What must not happen at all while a generation takes over, in the run in which most of it did, and how much does without."""
    return {
        f"failed or slow {when}": max(run["swap"][when]["failed"] + run["swap"][when][SLOW_FEEDS] for run in runs)
        for when in ("while it takes over", "without")
    }
