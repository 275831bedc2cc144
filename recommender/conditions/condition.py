"""A compiled condition: which rows of a catalogue it holds for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from recommender.columns import Column, Columns
from recommender.conditions.frame import Frame, Truth
from recommender.conditions.refusal import FIELD
from recommender.conditions.syntax import parse
from recommender.errors import InvalidCondition
from recommender.times import to_micros


@dataclass(frozen=True, eq=False)
class Condition:
    """An expression that was checked against some columns; made by `compile_condition`.

    `fields`: the class of each column that it reads, by name. `uses_now`: whether its mask depends on the moment.
    Immutable, and shared freely between threads.
    """

    expression: str
    uses_now: bool
    fields: Mapping[str, type[Column]]
    _truth: Truth

    def mask(self, columns: Columns, now: datetime) -> npt.NDArray[np.bool_]:
        """Rows of `columns` for which the condition certainly is true at `now` (aware), shape (columns.n,).

        What is unknown for want of a value counts as false, at the very end: !(price > 5.0) does not hold where there is
        no price. `columns` may be others than those of the check; where they lack a field, or hold it in another type,
        this raises `InvalidCondition`. Raises `InvalidInput` for a naive `now`.
        """
        for name, kind in self.fields.items():
            if not isinstance(columns.by_name.get(name), kind):
                allowed = f"fields of this catalogue, in their types; {name} is gone or has another one"
                raise InvalidCondition(FIELD, self.expression, allowed)
        rows = self._truth.rows(Frame(columns, columns.n, to_micros(now)), True)
        return np.full(columns.n, rows) if rows.ndim == 0 else np.array(rows, dtype=np.bool_)


def compile_condition(expression: str, columns: Columns) -> Condition:
    """Check `expression` against the names and types of `columns` and make it ready.

    The first call of a process also imports and builds what filters need, some .4 s (see `prepare_parser`). Raises
    `InvalidCondition`, whose `field` is "filter", with the part that is wrong, its place, and what is allowed.
    """
    # Its libraries take a tenth of a second to import, which a server is not to spend before it serves.
    from recommender.conditions.check import truth
    from recommender.conditions.scope import Scope, Uses

    uses = Uses()
    compiled = truth(Scope(expression, columns, uses), parse(expression))
    return Condition(expression, uses.now, MappingProxyType(uses.fields), compiled)
