"""What calls cost a server in the moments in which nobody else slowed its processor down, beside what they cost in all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

from server.bench.clocks import processor_seconds
from server.bench.driver import Outcomes
from server.bench.steadiness import Speeds

SAMPLE_S = 0.05
"""Time between two looks at what the server has used. Not less: calls that an interval cuts in two count for the one in which they end, and
the kernel adds up what a thread uses that is running a few milliseconds late, both of which level out over long intervals alone."""
LEAST_CALLS, LEAST_SHARE = 20, 0.05
"""Calls and share of the time of a measurement that have to be undisturbed; otherwise there is no telling what they cost."""


@dataclass(frozen=True, eq=False)
class Spent:
    """What a server spent on calls that came in for a while, one after the other over each connection.

    `at`: moments in order of time, as `time.monotonic()` tells them, and `used`: the seconds of processor time that it had used by then,
    both of shape (m,). `ended`, shape (c,): when each call ended. `idle`: seconds of processor time that the server uses in a second
    without calls, which are no call's. `ms`: what a call cost, undisturbed or not.
    """

    at: npt.NDArray[np.float64]
    used: npt.NDArray[np.float64]
    ended: npt.NDArray[np.float64]
    idle: float
    ms: float


@dataclass(frozen=True)
class Cost:
    """Milliseconds of a server's processor for a call of one measurement: `in_all`, and `undisturbed`, None where there was too little
    undisturbed time to tell. `seconds` of the measurement that could be told apart, `undisturbed_s` of them undisturbed."""

    in_all: float
    undisturbed: float | None
    seconds: float
    undisturbed_s: float


def watched(pid: int, work: Future[Outcomes], idle: float) -> tuple[Outcomes, Spent]:
    """What becomes of the calls that are the `work`, and what the process `pid` spends on them, beside what it uses when `idle`.

    Raises what the work raises, and OSError where there is no such process.
    """
    at, used = list[float](), list[float]()
    over = False
    while not over:
        over = work.done()
        before = time.monotonic()
        used.append(processor_seconds(pid))
        at.append((before + time.monotonic()) / 2)
        wait([work], SAMPLE_S)
    outcomes = work.result()
    ms = max(used[-1] - used[0] - idle * outcomes.seconds, 0.0) * 1e3 / max(len(outcomes.ended), 1)
    return outcomes, Spent(np.array(at), np.array(used), outcomes.ended, idle, ms)


def cost_of(spent: Spent, speeds: Speeds) -> Cost:
    """What calls cost by what was `spent` on them and how fast the processor was meanwhile.

    Intervals before the first call had ended and after the last one are left out, and so are the first and the last of the others: there
    calls were but beginning, or no longer coming.
    """
    ended = np.sort(spent.ended)
    since, until = spent.at[:-1], spent.at[1:]
    full = (since >= ended[0]) & (until <= ended[-1]) if len(ended) else np.zeros(len(since), dtype=np.bool_)
    middle = np.flatnonzero(full)[1:-1]
    since, until, used = since[middle], until[middle], np.diff(spent.used)[middle]
    calls = np.searchsorted(ended, until, side="right") - np.searchsorted(ended, since, side="right")
    chosen = speeds.undisturbed(since, until)
    seconds, undisturbed_s, count = float((until - since).sum()), float((until - since)[chosen].sum()), int(calls[chosen].sum())
    enough = count >= LEAST_CALLS and undisturbed_s >= LEAST_SHARE * seconds
    ms = max(float(used[chosen].sum()) - spent.idle * undisturbed_s, 0.0) * 1e3 / count if enough else None
    return Cost(spent.ms, ms, seconds, undisturbed_s)


def cost_columns(runs: Sequence[Cost], canned: Sequence[Cost]) -> dict[str, float]:
    """The columns of a method that cost so much in each of the `runs`, in which a canned reply cost so much.

    `server ms` and `times the canned reply` are medians of the runs in which they are known of undisturbed time, and where they are of
    none, of all runs and all time. `undisturbed` is the share of the time that `server ms` goes by; then 0. `server ms in all` is of all
    runs and all time.
    """
    in_all = [run.in_all for run in runs]
    pairs = list(zip(runs, canned, strict=True))
    times_in_all = [run.in_all / floor.in_all for run, floor in pairs]
    return {
        "server ms": _median([run.undisturbed for run in runs], in_all),
        "times the canned reply": _median([_over(run.undisturbed, floor.undisturbed) for run, floor in pairs], times_in_all),
        "undisturbed": sum(run.undisturbed_s for run in runs if run.undisturbed is not None) / _seconds(runs),
        "server ms in all": median(in_all),
    }


def costs_of(runs: Sequence[Mapping[str, Spent]], speeds: Speeds) -> tuple[dict[str, dict[str, float]], str]:
    """The columns of each method, "Canned" among them, by what was spent on it in each of the `runs`; and in words how much of their time
    was undisturbed."""
    costs = {name: [cost_of(run[name], speeds) for run in runs] for name in runs[0]}
    every = [cost for of_method in costs.values() for cost in of_method]
    share = sum(cost.undisturbed_s for cost in every) / _seconds(every)
    return {name: cost_columns(of_method, costs["Canned"]) for name, of_method in costs.items()}, speeds.in_words(share)


def _seconds(costs: Sequence[Cost]) -> float:
    """Seconds that could be told apart; a moment where there were none, so that shares of them are 0."""
    return max(sum(cost.seconds for cost in costs), SAMPLE_S)


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _median(known: Sequence[float | None], otherwise: Sequence[float]) -> float:
    """Of what is known, and of the others where nothing is."""
    return median([each for each in known if each is not None] or otherwise)
