"""What is measured on a set, and what it is measured by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from eval.outputs.words import metric_in_words


class Kind(Enum):
    """What is made of a metric, or what else is measured."""

    MEAN = "mean"
    """The blend's mean over everybody who is judged."""
    LEAD = "lead"
    """How much higher it is than that of the best single source, as a share of the latter."""
    TIMES = "times"
    """How many times it is that of ranking by the popularity of genres."""
    OVER = "over"
    """The blend's mean less that of popularity."""
    SECONDS = "seconds"
    """Seconds of wall time that one fit takes at the most; no metric."""
    GIGABYTES = "gigabytes"
    """Memory at its peak while fitting, GB of 1,024 MB; no metric."""

    @property
    def is_cost(self) -> bool:
        """Whether less is better."""
        return self in (Kind.SECONDS, Kind.GIGABYTES)


@dataclass(frozen=True)
class Measure:
    """One row of a set's table.

    `metric`: as judgements name it, "" for a cost. `published`: the best known, None for none. `must` and `aim`: what this project wants
    to reach, None where the figure only stands beside another. `p`: below which chance the difference has to lie, as a "must".
    """

    metric: str
    published: float | None = None
    must: float | None = None
    aim: float | None = None
    kind: Kind = Kind.MEAN
    p: float | None = None

    @property
    def label(self) -> str:
        """What tables call it."""
        metric = "HR" + self.metric.removeprefix("hit_rate") if self.metric.startswith("hit_rate@") else metric_in_words(self.metric)
        return {
            Kind.MEAN: metric,
            Kind.LEAD: f"{metric}, blend over best single source",
            Kind.TIMES: f"{metric}, times popularity of genre",
            Kind.OVER: f"{metric} over popularity",
            Kind.SECONDS: "fit, seconds of wall time",
            Kind.GIGABYTES: "fit, memory at its peak",
        }[self.kind]
