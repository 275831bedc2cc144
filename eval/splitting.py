"""How material is cut into what is learnt from and who is judged: the ways there are, and which one its shape asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from eval.material import Material
from eval.shown import has_order, held_out_impressions, impressions_of, with_shows
from indexing.twin import sampled
from recommender.errors import InvalidInput
from recommender.event_table import EventTable
from recommender.judging import cut_at_share, hold_out
from recommender.judging.cold import cold_items, cold_people, draw_cold_items
from recommender.judging.cuts import SPARE, Split, given, leave_last_out, of_later_people
from recommender.judging.drawn import drawn_share
from recommender.order import Order
from recommender.profile import BuildSettings
from recommender.times import from_micros

SHOWN = "impressions"
SPLITS = ("time", "rolling", "last", "given", SHOWN, "cold-items", "cold-people", "random")
OPTIONS = {
    "cut": ("time", "rolling", "impressions"),
    "until": ("time", "rolling", "last", "impressions", "cold-items", "cold-people"),
    "share": ("time", "rolling", "impressions", "cold-items", "cold-people", "random"),
    "reveal": ("time", "rolling"),
    "windows": ("rolling",),
    "among": ("cold-items",),
    "known": ("cold-people",),
}
"""With which splits each option means anything."""
SHARE, ROLLING_SHARE, REVEAL, WINDOWS = 0.2, 0.4, 0.5, 4
FEWEST_FOR_COLD = 5
"""Items that are made cold have so many people at least where any item has, so that there is something to find."""
LEAKS = (
    "a random split leaks the future: training holds events later than what is judged, which flatters all figures "
    "(Meng et al., RecSys 2020); cut by time instead where there are times"
)


@dataclass(frozen=True)
class Cutting:
    """How to cut; None stands for the default, and an option that means nothing with the split is refused.

    `split`: one of `SPLITS`, or None for what the material's shape asks for. `cut`, `until`: µs since 1970; events from `until` on are
    not used at all. `share`: in (0, 1), of the events, items or people that are judged. `reveal`: share, in [0, 1), of a person's
    events after the cut that count as history. `windows`: how many, 1 or more. `among`: "cold" or "all", the items among which cold ones
    are ranked. `known`: events that are known of cold people. `people`: judged at the most in each window.
    """

    split: str | None = None
    cut: int | None = None
    until: int | None = None
    share: float | None = None
    reveal: float | None = None
    windows: int | None = None
    among: str | None = None
    known: int | None = None
    people: int = 5_000


def split_for(material: Material, wanted: str | None) -> str:
    """The split that is `wanted`, or where that is None the one by rule: given where the set has a test part, else time or last.

    Raises `InvalidInput` for an unknown one, one that the material does not allow, and where no rule applies.
    """
    if wanted is not None and wanted not in SPLITS:
        raise InvalidInput("--split", wanted, f"one of {', '.join(SPLITS)}")
    if wanted == "given" and material.test is None:
        raise InvalidInput("--split", wanted, "another split, since nothing of this data is held out by its publishers")
    if wanted in ("time", "rolling", "impressions") and material.order is not Order.TIME:
        raise InvalidInput("--split", wanted, "a split without times, since those of this data say nothing across people")
    if wanted == "last" and material.order is Order.NONE:
        raise InvalidInput("--split", wanted, "a split without order, since nothing tells which event of a person was the last")
    if wanted is not None:
        return wanted
    if material.test is not None:
        return "given"
    if material.order is Order.NONE:
        raise InvalidInput("--split", "none", "cold-items, cold-people or random, since this data has neither order nor a test part")
    return "time" if material.order is Order.TIME else "last"


def splits_of(material: Material, build: BuildSettings, cutting: Cutting, *, repeats: bool = False) -> tuple[list[Split], tuple[str, ...]]:
    """The windows to judge, one or more, each with at most `cutting.people` people, and what the reader has to be warned of.

    With `repeats` what people had before is to be found as well where they took it up again, as where a placement may show it. Raises
    `InvalidInput` naming the option for values that are not allowed or mean nothing here, and where there is nothing to learn from or
    nobody to judge.
    """
    split = split_for(material, cutting.split)
    for option, meant in OPTIONS.items():
        if getattr(cutting, option) is not None and split not in meant:
            raise InvalidInput(f"--{option}", getattr(cutting, option), f"only with --split {' or '.join(meant)}, this is {split}")
    _check(cutting)
    if cutting.until is not None and material.order is not Order.TIME:
        raise InvalidInput("--until", from_micros(cutting.until).isoformat(), "no end, since the times of this data say nothing")
    events = material.events if cutting.until is None else material.events.before(cutting.until)
    if not len(events):
        raise InvalidInput("events", "none before the end", "data with events in the time that is looked at")
    rng, weights = np.random.default_rng(build.seed), build.event_weights
    share = SHARE if cutting.share is None else cutting.share
    match split:
        case "time" | "rolling":
            return _windows(events, build, cutting, split, repeats), ()
        case "given":
            assert material.test is not None
            made = given(material.events, material.test, candidates=material.candidates, weights=weights, repeats=repeats)
        case "last":
            made = leave_last_out(events, weights=weights, repeats=repeats)
        case "impressions":
            made = _shown(material, events, build, cutting)
        case "cold-items":
            made = cold_items(events, _cold(events, share, rng), among_cold=cutting.among != "all", weights=weights)
        case "cold-people":
            made = cold_people(events, share, rng, reveal=cutting.known or 0, weights=weights, repeats=repeats)
        case _:
            made = drawn_share(events, share, rng, weights=weights)
    held_out = sampled(made.held_out, cutting.people, seed=build.seed)
    if material.order is not Order.TIME:
        # Times stand for places only, so that no query has a "now" of its own.
        held_out = replace(held_out, moments=None)
    return [replace(made, held_out=held_out)], (LEAKS,) if split == "random" else ()


def _check(cutting: Cutting) -> None:
    if cutting.share is not None and not 0 < cutting.share < 1:
        raise InvalidInput("--share", cutting.share, "a share between 0 and 1, both excluded")
    if cutting.reveal is not None and not 0 <= cutting.reveal < 1:
        raise InvalidInput("--reveal", cutting.reveal, "a share of 0 or more, below 1")
    if cutting.cut is not None and cutting.share is not None:
        raise InvalidInput("--share", cutting.share, "either a share or a cut, not both")
    if cutting.among not in (None, "cold", "all"):
        raise InvalidInput("--among", cutting.among, "cold or all")
    for name in ("windows", "people"):
        number = getattr(cutting, name)
        if number is not None and number < 1:
            raise InvalidInput(f"--{name}", number, "1 or more")


def _windows(events: EventTable, build: BuildSettings, cutting: Cutting, split: str, repeats: bool) -> list[Split]:
    share = cutting.share or (SHARE if split == "time" else ROLLING_SHARE)
    start = cutting.cut if cutting.cut is not None else cut_at_share(events, 1 - share)
    end = int(events.at.max()) + 1 if cutting.until is None else cutting.until
    if end <= start:
        given, newest = from_micros(start).isoformat(), from_micros(int(events.at.max())).isoformat()
        raise InvalidInput(
            "--cut", given, f"a moment before the end, after which people took up something; the newest event is of {newest}"
        )
    count = 1 if split == "time" else cutting.windows or WINDOWS
    cuts = _even_cuts(events, start, end, count)
    if len(cuts) != count + 1:
        raise InvalidInput("--windows", count, f"at most {len(cuts) - 1} windows, since more would begin at one moment")
    reveal = REVEAL if cutting.reveal is None else cutting.reveal
    windows = []
    for number, (first, last) in enumerate(pairwise(cuts), 1):
        some = of_later_people(events.before(last), first, SPARE * cutting.people, seed=build.seed)
        held_out = hold_out(some, build.event_weights, cut=first, until=last, reveal=reveal, repeats=repeats)
        name = "by time" if split == "time" else f"window {number} of {count}"
        windows.append(Split(events.before(first), sampled(held_out, cutting.people, seed=build.seed), name))
    return windows


def _shown(material: Material, events: EventTable, build: BuildSettings, cutting: Cutting) -> Split:
    """Learn from what lies before the cut, judge each impression from there on in which something was taken up and something not."""
    if material.impressions is None:
        impressions = impressions_of(events, build.event_weights)
    else:
        impressions, events = material.impressions, with_shows(events, material.impressions)
    if cutting.cut is not None:
        cut = cutting.cut
    elif impressions.judged is not None and cutting.share is None:
        cut = int(impressions.at[impressions.judged].min())
    else:
        cut = int(np.quantile(impressions.at, 1 - (cutting.share or SHARE), method="higher"))
    later = impressions.at >= cut if cutting.until is None else (impressions.at >= cut) & (impressions.at < cutting.until)
    ordered = has_order(impressions)
    held_out = held_out_impressions(impressions, np.flatnonzero(later & ordered), events, cut)
    return Split(events.before(cut), held_out, SHOWN, excluded=int(np.count_nonzero(later & ~ordered)))


def _even_cuts(events: EventTable, start: int, end: int, count: int) -> Sequence[int]:
    """`start`, the moments at which the events from there to `end` fall into `count` parts of one size, and `end`; equal ones once."""
    times = np.sort(events.at[(events.at >= start) & (events.at < end)])
    inner = [int(times[len(times) * part // count]) for part in range(1, count)] if len(times) else []
    return sorted({start, *inner, end})


def _cold(events: EventTable, share: float, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    try:
        return draw_cold_items(events, share, rng, fewest=FEWEST_FOR_COLD)
    except InvalidInput:
        return draw_cold_items(events, share, rng)
