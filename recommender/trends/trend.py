"""One trend: the items that people took up within a window, by a group's counts where that is large enough, and by everybody's."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recommender.feeds import Degradation, Trending
from recommender.profile import BuildSettings
from recommender.trends.asked import Asked
from recommender.trends.groups import groups_to_try
from recommender.trends.recent_events import RecentEvents
from recommender.trends.trend_kernels import are_enough, taken_up

Floats = npt.NDArray[np.float32]

STANDING, OF_ALL, OF_GROUP = 0, 1, 2
"""What an item is popular by: what is known without a window, everybody's events within it, or those of the group."""

TOO_FEW_PEOPLE, TOO_MANY_EVENTS, NOT_READ, NOT_KEPT = "too_few_people", "too_many_events", "not_read_yet", "not_kept"


class Least(NamedTuple):
    """How many different people a group's trend needs, and an item of it."""

    people: int
    of_item: int


@dataclass(frozen=True, eq=False)
class Trend:
    """What trends among those who were `asked` for, as of some moment; `key` tells it from others.

    `region` and `segment`: whose trend it is in the end, "" for everybody's. `numbers`: items, shape (k,), uint32, the most popular first.
    `levels`: shape (k,), uint8, `OF_GROUP` and then `OF_ALL`. `degraded`: what of the wish was not kept, and why.
    """

    key: Hashable
    asked: Asked
    region: str
    segment: str
    numbers: npt.NDArray[np.uint32]
    levels: npt.NDArray[np.uint8]
    degraded: tuple[Degradation, ...] = ()

    @classmethod
    def unknown(cls, asked: Asked, why: str = NOT_READ) -> Trend:
        """A trend of which the events are not there: what is popular without a window stands in for it."""
        return cls((asked, why), asked, "", "", np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.uint8), (Degradation("trend", why),))

    def called(self, asked: Asked) -> Trend:
        """The same for a wish that gives region and segment other names."""
        return self if asked == self.asked else replace(self, asked=asked)

    @property
    def trending(self) -> tuple[Trending | None, ...]:
        """By level, where and since when an item trends that is popular by it. The name that was given goes with the region that was asked
        for alone."""
        region_name = self.asked.region_name if self.region == self.asked.region else ""
        names = region_name or self.region, (self.asked.segment_name or self.segment) if self.segment else ""
        window = self.asked.window_us
        return None, Trending(window_us=window), Trending(self.region, self.segment, window, *names)


def trend_of(events: RecentEvents, asked: Asked, table: Floats, least: Least, *, now: int, longest_us: int, key: Hashable = None) -> Trend:
    """What trends by `events` at `now` (µs); `table`: the weight of each type of event; `longest_us`: the window where none is asked for.

    A group with fewer people than `least` gives way to the next wider one. An item that too few people of the group took up is ranked
    behind the others, by everybody's counts. Ties are broken by number.
    """
    columns = events.columns
    since = now - (asked.window_us or longest_us)
    each = (columns.type, columns.portion, columns.at, columns.region, columns.segment, table)
    region, segment = "", ""
    of_segment = {each: events.by_segment.holding(each) for each in ("", asked.segment)}
    within = events.by_region.within(""), of_segment[""]
    for region, segment in groups_to_try(asked.region, asked.segment):
        within = events.by_region.within(region), of_segment[segment]
        if not (region or segment):
            break
        if within[0].any() and within[1].any() and are_enough(columns.person, *each, since, *within, least.people):
            break
    numbers, whole, theirs, people = taken_up(columns.item, columns.person, *each, since, now, asked.half_life_us, *within)
    of_group = bool(region or segment) & (theirs > 0) & (people >= least.of_item)
    first, others = np.flatnonzero(of_group), np.flatnonzero(~of_group)
    # Numbers ascend, so that a stable sort breaks ties by them.
    order = np.concatenate([first[np.argsort(-theirs[first], kind="stable")], others[np.argsort(-whole[others], kind="stable")]])
    return Trend(
        key=key,
        asked=asked,
        region=region,
        segment=segment,
        numbers=numbers[order],
        levels=np.where(of_group, OF_GROUP, OF_ALL).astype(np.uint8)[order],
        degraded=_left_out(events, asked, region, segment, now),
    )


def make_ready() -> None:
    """Have the loops compiled by which trends are counted, so that whoever asks for the first one does not wait for that."""
    named = RecentEvents(RecentEvents.none().columns, ("", "here"), ("",), 0)
    trend_of(named, Asked(region="here"), BuildSettings().weight_table, Least(1, 1), now=0, longest_us=1)


def _left_out(events: RecentEvents, asked: Asked, region: str, segment: str, now: int) -> tuple[Degradation, ...]:
    left_out = []
    if region != asked.region:
        left_out.append(Degradation("region", TOO_FEW_PEOPLE))
    if segment != asked.segment:
        left_out.append(Degradation("segment", TOO_FEW_PEOPLE))
    if asked.window_us and now - asked.window_us < events.since:
        left_out.append(Degradation("window", TOO_MANY_EVENTS))
    return tuple(left_out)
