"""What a deployment must reach and aims at, and where the benchmarks' figures tell whether it does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Figures = Mapping[str, Any]
"""The figures of one benchmark, as its JSON holds them."""
Measured = Mapping[str, Figures]
"""The figures of each part that was measured, by its name."""

SERVE, MILLION, SEARCH, SEARCH_MILLION = "serve", "serve-million", "search", "search-million"
"""Parts: serving at 100 thousand items and at a million, and search at both."""
COMPOSED = "serve-composed"
"""Part: serving at 100 thousand items by a placement with rules, variety, impressions and trials."""
BUILD, LIVE, NIGHTS = "build", "live", "nights"
"""Parts: a whole build, what is published and hidden, and two nights with texts to embed."""


class NotThere(LookupError):
    """A figure is missing; the text says why."""


@dataclass(frozen=True)
class Target:
    """A figure with its bounds. `read` takes it from what was measured and raises `NotThere`; `at_most` says which way is better."""

    title: str
    unit: str
    must: float
    aim: float
    read: Callable[[Measured], float]
    at_most: bool = True

    def bound(self, value: float) -> str:
        """A bound in words."""
        return f"{'≤' if self.at_most else '≥'} {shown(value)}{self.unit}"

    def verdict(self, value: float) -> str:
        """How a figure stands to the bounds."""
        for bound, words in ((self.aim, "aim reached"), (self.must, "must reached")):
            if value <= bound if self.at_most else value >= bound:
                return words
        return "missed"


def shown(value: float) -> str:
    """A number with three digits or so."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def at(part: str, *path: str) -> Callable[[Measured], float]:
    """Reads the figure at `path` of a part."""

    def read(measured: Measured) -> float:
        if part not in measured:
            raise NotThere(part)
        found: Any = measured[part]
        for name in path:
            if not isinstance(found, Mapping) or name not in found:
                raise NotThere(f"`bench {part}` does not tell {' / '.join(path)}")
            found = found[name]
        if not isinstance(found, int | float) or not math.isfinite(found):
            raise NotThere(f"`bench {part}` gives no number for {' / '.join(path)}")
        return float(found)

    return read


def over(one: Callable[[Measured], float], other: Callable[[Measured], float]) -> Callable[[Measured], float]:
    """One figure over another one."""
    return lambda measured: one(measured) / other(measured)


def total(*reads: Callable[[Measured], float]) -> Callable[[Measured], float]:
    """The sum of figures."""
    return lambda measured: sum(read(measured) for read in reads)


def undisturbed(part: str) -> Callable[[Measured], float]:
    """Reads the share of the time by which processor time of a feed goes, 0 where it goes by all of it."""
    return at(part, "methods", "GetFeed", "undisturbed")


def _feed(part: str, figure: str = "server ms") -> Callable[[Measured], float]:
    return at(part, "methods", "GetFeed", figure)


def _anew(part: str, figure: str = "server ms") -> Callable[[Measured], float]:
    return at(part, "methods", "GetFeed, rare", figure)


def _scaled(read: Callable[[Measured], float], factor: float) -> Callable[[Measured], float]:
    return lambda measured: read(measured) * factor


def _missed_at_a_swap(part: str) -> Callable[[Measured], float]:
    return total(at(part, *_TAKES_OVER, "failed"), at(part, *_TAKES_OVER, "over twice the usual p99"))


_IN_ALL = "server ms in all"
_TAKES_OVER = ("swap", "while it takes over")
_AT_HALF, _ALONE = ("latency", "50% of saturation", "p99 ms"), ("saturation", "feeds/s alone")
_SINGLE, _TIMES_CANNED = ("events beside feeds", "p99 ms"), ("methods", "GetFeed", "times the canned reply")
_COMPOSED = "With rules, variety, impressions and trials"
_OVER, _HURRIED = ("overload", "callers wait 250 ms"), ("overload", "callers wait 30 ms")
_IN_FEEDS = ("published", "in feeds, by all but their text")
_BY_TEXT = ("published", "like what their text is like")
_SECOND = ("nights", "second, 1.0% changed")
_EVENTS, _EXPORT = ("events in batches", "events/s"), ("export", "feeds/s of processor time")

TARGETS = (
    Target("Processor time of the server for a feed of 30 items, every stage on, 100k items", " ms", 2.0, 0.8, _feed(SERVE)),
    Target("The same over a canned reply, same run", "×", 11, 5, at(SERVE, *_TIMES_CANNED)),
    Target("The same at 1M items over 100k", "×", 2, 1.3, over(_feed(MILLION), _feed(SERVE))),
    Target("p99 at half of saturation, 100k items", " ms", 15, 8, at(SERVE, *_AT_HALF)),
    Target("Feeds a second and core", "", 500, 1_200, at(SERVE, *_ALONE), at_most=False),
    Target("Processor time of GetSimilar", " ms", 0.8, 0.3, at(SERVE, "methods", "GetSimilar", "server ms")),
    Target("Processor time of GetPopular", " ms", 0.8, 0.3, at(SERVE, "methods", "GetPopular", "server ms")),
    Target("One event a call, durable, 500 a second beside feeds: p99", " ms", 50, 20, at(SERVE, *_SINGLE)),
    Target("Durable events a second, a hundred a call", "", 10_000, 30_000, at(SERVE, *_EVENTS), at_most=False),
    Target("Lowest recall@500 of all filters and vectors, 100k", "", 0.99, 0.995, at(SEARCH, "worst", "recall@500"), at_most=False),
    Target("Lowest recall@500 of all filters and vectors, 1M", "", 0.99, 0.995, at(SEARCH_MILLION, "worst", "recall@500"), at_most=False),
    Target("Start to SERVING, 100k items", " s", 2, 1, at(SERVE, "start", "seconds to serving")),
    Target("Private memory of a server process, 100k items", " MB", 300, 150, at(SERVE, "memory", "private MB")),
    Target("Private memory of a server process, 1M items", " MB", 300, 150, at(MILLION, "memory", "private MB")),
    Target("Generation on disk, 100k items", " MB", 600, 300, at(SERVE, "inputs", "megabytes on disk")),
    Target("Generation on disk, 1M items", " MB", 6_000, 3_000, at(MILLION, "inputs", "megabytes on disk")),
    Target(
        "Feeds that fail or take over twice the usual p99 while a generation takes over",
        "",
        0,
        0,
        _missed_at_a_swap(SERVE),
    ),
    Target(
        "Answered in time at twice saturation, over saturation", "", 0.9, 0.9, at(SERVE, *_OVER, "goodput over saturation"), at_most=False
    ),
    Target(f"{_COMPOSED}: processor time of a feed", " ms", 2.0, 0.8, _feed(COMPOSED)),
    Target(f"{_COMPOSED}: the same over a canned reply", "×", 11, 5, at(COMPOSED, *_TIMES_CANNED)),
    Target(f"{_COMPOSED}: p99 at half of saturation", " ms", 15, 8, at(COMPOSED, *_AT_HALF)),
    Target(f"{_COMPOSED}: feeds a second and core", "", 500, 1_200, at(COMPOSED, *_ALONE), at_most=False),
    Target(f"{_COMPOSED}: one event a call beside feeds, p99", " ms", 50, 20, at(COMPOSED, *_SINGLE)),
    Target(f"{_COMPOSED}: feeds that fail or are that slow at a swap", "", 0, 0, _missed_at_a_swap(COMPOSED)),
    Target("Exported feeds a second and core", "", 700, 2_500, at(BUILD, *_EXPORT), at_most=False),
    Target("Full build", " min", 20, 8, _scaled(at(BUILD, "build", "wall s"), 1 / 60)),
    Target("Median time from UpsertItems until every server has an item, by its text too", " s", 2, 1, at(LIVE, *_BY_TEXT, "median s")),
    Target("p99 of it, ten items a second", " s", 5, 2, at(LIVE, *_BY_TEXT, "p99 s")),
    Target("A feed with all these items over one without", "×", 1.1, 1.05, at(LIVE, "feeds", "with over without")),
    Target("Hidden items that any server shows after SetState, of 10,000", "", 0, 0, at(LIVE, "hidden", "shown though hidden")),
    Target(
        "Processor time of a night in which 1 % changed, over one without cached vectors",
        "",
        1 / 3,
        0.2,
        at(NIGHTS, *_SECOND, "cpu of the first"),
    ),
    Target("Memory of a full build", " GB", 8, 4, _scaled(at(BUILD, "build", "peak MB"), 2**20 / 1e9)),
)
"""In the order of the table."""

BESIDE = (
    ("Processor time of a feed that is made anew, for a known person with some fifty events, 100k items (ms)", _anew(SERVE)),
    ("Processor time of a feed that is made anew, likewise, 1M items (ms)", _anew(MILLION)),
    (f"{_COMPOSED}: processor time of a feed that is made anew (ms)", _anew(COMPOSED)),
    ("Processor time of a feed of 30 items, disturbed moments included, 100k items (ms)", _feed(SERVE, _IN_ALL)),
    ("Processor time of a feed of 30 items, disturbed moments included, 1M items (ms)", _feed(MILLION, _IN_ALL)),
    ("Processor time of a feed that is made anew, disturbed moments included, 100k items (ms)", _anew(SERVE, _IN_ALL)),
    ("Processor time of a feed that is made anew, disturbed moments included, 1M items (ms)", _anew(MILLION, _IN_ALL)),
    ("Degraded, of feeds answered at twice saturation, callers waiting 250 ms", at(SERVE, *_OVER, "degraded share")),
    ("Late, of calls at twice saturation, callers waiting 250 ms", at(SERVE, *_OVER, "late share")),
    (
        "Degraded, of feeds answered at twice saturation, callers waiting 30 ms",
        at(SERVE, *_HURRIED, "degraded share"),
    ),
    ("Late, of calls at twice saturation, callers waiting 30 ms", at(SERVE, *_HURRIED, "late share")),
    ("Processor time of a call that is turned away (ms)", at(SERVE, "methods", "Shed", "server ms")),
    ("Processor time of an empty call (ms)", at(SERVE, "methods", "Empty", "server ms")),
    (
        "Feeds that fail or take over twice the usual p99 while a generation takes over, in the worst run",
        at(SERVE, "worst run", "failed or slow while it takes over"),
    ),
    (
        "Feeds that fail or take over twice the usual p99 while nothing takes over, for at least twenty seconds, in the worst run",
        at(SERVE, "worst run", "failed or slow without"),
    ),
    ("Texts that the second night embedded", at(NIGHTS, *_SECOND, "embedded")),
    ("Texts that had changed since the first", at(NIGHTS, *_SECOND, "changed")),
    ("Median time from UpsertItems until every server has an item in feeds, by all but its text (s)", at(LIVE, *_IN_FEEDS, "median s")),
    ("p99 of it (s)", at(LIVE, *_IN_FEEDS, "p99 s")),
    ("Seconds from publishing to the first feed of the new generation", at(SERVE, "swapped", "seconds to the first feed")),
)
"""Figures without bounds that belong beside them."""
