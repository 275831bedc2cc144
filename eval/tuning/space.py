"""What is searched: the parts of the build settings, and the ranges of their values.

Keys are paths as in a file of build settings, such as "item_item.regularisation". Ranges lie inside what the settings allow; they leave
out what only trades memory or time for quality, such as how many neighbours are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from recommender.errors import InvalidInput
from recommender.order import Order
from recommender.profile import BuildSettings, EventWeights

Value = float | int | str
DIGITS = 4
"""Significant digits of a tried number: what is judged is what is written."""


@dataclass(frozen=True)
class Part:
    """Settings that are tuned together. `variant`: the one of `recommender.judging.VARIANTS` by which they are judged.

    `judged_on`: "known" for sources that go by behaviour and so are silent on new items, "new" for those that speak of nothing else,
    where the data have a cut of these; otherwise all cuts count.
    `builds_on`: parts whose tuned values hold while this one is tuned. `by_default`: whether it is tuned where nobody names parts.
    """

    name: str
    variant: str
    ranges: Mapping[str, BaseDistribution]
    judged_on: Literal["known", "new", "all"] = "known"
    builds_on: frozenset[str] = frozenset({"events"})
    by_default: bool = True

    def ranges_on(self, order: Order, types: frozenset[str]) -> dict[str, BaseDistribution]:
        """The ranges that can change an answer on data of this order with events of these `types`, such as "click"."""
        return {path: given for path, given in self.ranges.items() if _matters(path, order, types)}


def _matters(path: str, order: Order, types: frozenset[str]) -> bool:
    section, _, name = path.rpartition(".")
    if name == "history_decay":
        return order is not Order.NONE
    if name == "half_life_days":
        return order is Order.TIME
    if section == "event_weights":
        # One weight alone is a scale, which regularisation sets as well.
        return name in types and len(types) > 1
    return True


def _share(low: float, high: float) -> FloatDistribution:
    return FloatDistribution(low, high)


def _scale(low: float, high: float) -> FloatDistribution:
    return FloatDistribution(low, high, log=True)


def _count(low: int, high: int) -> IntDistribution:
    return IntDistribution(low, high, log=True)


def _of(section: str, **ranges: BaseDistribution) -> dict[str, BaseDistribution]:
    return {f"{section}.{name}": given for name, given in ranges.items()}


_DISLIKING = ("dislike", "hide")
_EVENT_WEIGHTS = {
    name: _share(-2.0, 0.0) if name in _DISLIKING else _share(0.0, 3.0) for name in EventWeights.model_fields if name != "custom"
}
_SOURCES = (
    Part(
        "item_item",
        "item_item",
        _of(
            "item_item",
            regularisation=_scale(1, 100_000),
            degree_exponent=_share(0, 1),
            item_exponent=_share(0, 1),
            history_decay=_share(0.5, 1),
        ),
    ),
    Part(
        "collaborative",
        "collaborative",
        _of(
            "collaborative",
            factors=_count(16, 256),
            regularisation=_scale(0.1, 1_000),
            alpha=_scale(0.1, 50),
            iterations=_count(5, 30),
            history_decay=_share(0.5, 1),
        ),
    ),
    Part(
        "co_occurrence",
        "co_occurrence",
        _of(
            "co_occurrence",
            person_exponent=_share(0, 1.5),
            source_exponent=_share(0, 1.5),
            target_exponent=_share(0, 1),
            history_decay=_share(0.5, 1),
        ),
    ),
    Part(
        "transitions",
        "transitions",
        _of(
            "transitions",
            window=_count(1, 100),
            step_decay=_share(0.3, 1),
            backward=_share(0, 1),
            source_exponent=_share(0, 1),
            target_exponent=_share(0, 1),
            history_decay=_share(0.2, 1),
        ),
    ),
    Part("graph", "graph", _of("graph", factors=_count(16, 1_024), exponent=_share(0, 3), history_decay=_share(0.5, 1))),
    Part(
        "sequence",
        "sequence",
        _of(
            "sequence",
            factors=_count(32, 256),
            length=_count(10, 200),
            passes=_count(3, 50),
            dropout=_share(0, 0.6),
            learning_rate=_scale(0.0003, 0.01),
        ),
    ),
    Part(
        "content",
        "content",
        _of("content", interests=_count(1, 8), same_interest=_share(0, 0.95), history_decay=_share(0.5, 1)),
        judged_on="all",
    ),
    Part(
        "transfer",
        "transfer",
        _of("transfer", neighbours=_count(10, 500), label_share=_share(0, 5), own_share=_share(0, 1), degree_exponent=_share(0, 1)),
        judged_on="new",
        builds_on=frozenset({"events", "item_item"}),
    ),
    Part("popular", "popularity", _of("popularity", half_life_days=_scale(0.25, 1_000))),
)
PARTS: tuple[Part, ...] = (
    Part(
        "events",
        "blend",
        {"half_life_days": _scale(7, 3_650), **_of("event_weights", **_EVENT_WEIGHTS)},
        judged_on="all",
        builds_on=frozenset(),
        # Every learner is fitted anew for every trial.
        by_default=False,
    ),
    *_SOURCES,
    Part(
        "blending",
        "blend",
        {
            "blending.ranker": CategoricalDistribution(("auto", "never")),
            **_of(
                "blending.trees",
                trees=_count(20, 400),
                leaves=_count(4, 32),
                learning_rate=_scale(0.02, 0.3),
                least_in_leaf=_count(20, 1_000),
                penalty=_scale(0.5, 200),
                feature_share=_share(0.2, 1),
                truncation=_count(5, 50),
            ),
        },
        judged_on="all",
        builds_on=frozenset({"events", *(part.name for part in _SOURCES)}),
    ),
)
"""In the order in which they are tuned."""


def parts_named(names: Sequence[str]) -> tuple[Part, ...]:
    """The parts of these names, in the order of `PARTS`; without names those tuned by default. Raises `InvalidInput` for an unknown one."""
    known = {part.name for part in PARTS}
    for name in names:
        if name not in known:
            raise InvalidInput("only", name, f"parts among {', '.join(part.name for part in PARTS)}, separated by commas")
    return tuple(part for part in PARTS if (part.name in names if names else part.by_default))


def value_at(settings: BuildSettings, path: str) -> Value:
    """The present value at a path of the settings."""
    found: object = settings
    for name in path.split("."):
        found = getattr(found, name)
    assert isinstance(found, float | int | str)
    return found


def with_values(settings: BuildSettings, values: Mapping[str, Value]) -> BuildSettings:
    """The settings with other `values`, by path; checked as if read from a file."""
    tables = settings.model_dump()
    for path, value in values.items():
        *sections, name = path.split(".")
        table = tables
        for section in sections:
            table = table[section]
        table[name] = value
    return BuildSettings.model_validate(tables)


def rounded(value: Value) -> Value:
    """A tried value as it is judged and written."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
