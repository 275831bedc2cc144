"""Who asks, as a rule's audience sees it: a condition in CEL on a few words about the person and the request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np

from recommender.columns import Columns, NumberColumn, StringColumn, StringListColumn
from recommender.conditions import Condition, compile_condition

AUDIENCE_FIELDS = ("subject", "events", "language", "region", "segments")
"""What a condition on an audience may name."""


@dataclass(frozen=True)
class Audience:
    """`subject`: "user", "session" or "" for an answer that is for nobody. `events`: how many acted events of the person count. `segments`:
    those that the request says the person belongs to."""

    subject: str = ""
    events: int = 0
    language: str = ""
    region: str = ""
    segments: tuple[str, ...] = ()

    def meets(self, expression: str, now: datetime) -> bool:
        """Whether the condition `expression` holds for this audience at `now`. Raises `InvalidCondition`."""
        return bool(audience_condition(expression).mask(self._columns(), now)[0])

    def _columns(self) -> Columns:
        texts = {name: _text(getattr(self, name)) for name in ("subject", "language", "region")}
        ends = np.array([0, len(self.segments)], dtype=np.int32)
        segments = StringListColumn(ends, np.arange(len(self.segments), dtype=np.int32), self.segments)
        return Columns(1, {**texts, "events": NumberColumn(np.array([self.events], dtype=np.float64)), "segments": segments})


NOBODY = Audience()


@lru_cache(maxsize=1_000)
def audience_condition(expression: str) -> Condition:
    """The condition, checked. Raises `InvalidCondition` with the part that is wrong and what there is."""
    return compile_condition(expression, NOBODY._columns())


def _text(value: str) -> StringColumn:
    return StringColumn(np.zeros(1, dtype=np.int32), (value,))
