"""Masks over a catalogue that were made lately, by what they let through, and conditions that were compiled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import numpy as np
import numpy.typing as npt

from recommender.columns import Columns
from recommender.conditions import Condition, compile_condition
from recommender.errors import InvalidCondition
from recommender.generation.catalogue import Catalogue

Mask = npt.NDArray[np.bool_]

MASK_BYTES = 24 * 2**20
"""What the masks of a cache take together, unless they are so large that it holds `LEAST` of them."""
LEAST = 8
KEY_BYTES = 4_000
"""What a mask takes beside its own bytes, most of it the expression of a filter, of up to 2,000 characters, by which it is known."""
_CONDITIONS = 1_000


class MaskCache:
    """Masks and compiled conditions of one catalogue of `n` items; the least recently used give way. Safe for many threads."""

    def __init__(self, n: int) -> None:
        self._most = max(LEAST, MASK_BYTES // (n + KEY_BYTES))
        self._masks: OrderedDict[object, Mask] = OrderedDict()
        self._conditions: OrderedDict[str, Condition] = OrderedDict()
        self._of_rules: dict[str, Condition | None] = {}
        self._lock = Lock()

    def mask(self, key: object, make: Callable[[], Mask]) -> Mask:
        """The mask of `key`, shape (n,), read-only, made when it is not there."""
        with self._lock:
            if key in self._masks:
                self._masks.move_to_end(key)
                return self._masks[key]
        made = make()
        made.flags.writeable = False
        with self._lock:
            self._masks[key] = made
            while len(self._masks) > self._most:
                self._masks.popitem(last=False)
        return made

    def rule_condition(self, expression: str, columns: Columns) -> Condition | None:
        """The compiled `expression` of a rule; None where these columns, always the same, have no such field or it is of another type."""
        with self._lock:
            if expression in self._of_rules:
                return self._of_rules[expression]
        try:
            condition = compile_condition(expression, columns)
        except InvalidCondition:
            condition = None
        with self._lock:
            # There are no more than placements have rules, until their file changes.
            if len(self._of_rules) >= _CONDITIONS:
                self._of_rules.clear()
            self._of_rules[expression] = condition
        return condition

    def condition(self, expression: str, catalogue: Catalogue) -> Condition:
        """The compiled `expression`. Raises `InvalidCondition`."""
        with self._lock:
            if expression in self._conditions:
                self._conditions.move_to_end(expression)
                return self._conditions[expression]
        condition = compile_condition(expression, catalogue.columns)
        with self._lock:
            self._conditions[expression] = condition
            while len(self._conditions) > _CONDITIONS:
                self._conditions.popitem(last=False)
        return condition
