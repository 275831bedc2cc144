"""The rules of placements beside a catalogue: what of them can be asked there, and of how many items they speak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recommender.columns import StringColumn, StringListColumn
from recommender.composing.rules import Limit
from recommender.conditions import compile_condition
from recommender.errors import InvalidInput
from recommender.generation.catalogue import Catalogue
from recommender.placements import Placements


@dataclass(frozen=True)
class RuleCheck:
    """What became of one rule. `items`: how many its filter lets through, all where it has none; None for one that cannot be asked, for
    what `error` says."""

    placement: str
    rule: str
    items: int | None
    error: InvalidInput | None = None


def checked_against(placements: Placements, catalogue: Catalogue, now: datetime) -> Iterator[RuleCheck]:
    """All rules of `placements`, in their order, beside a `catalogue` at `now`, aware."""
    for name, placement in placements.by_name.items():
        for place, rule in enumerate(placement.rules):
            try:
                items = catalogue.n
                if rule.filter:
                    items = int(np.count_nonzero(compile_condition(rule.filter, catalogue.columns).mask(catalogue.columns, now)))
                if isinstance(rule, Limit) and rule.of:
                    _check_labels(rule.of, catalogue)
            except InvalidInput as error:
                yield RuleCheck(name, rule.name, None, error.within(f"placements.{name}.rules[{place}]"))
            else:
                yield RuleCheck(name, rule.name, items)


def _check_labels(field: str, catalogue: Catalogue) -> None:
    """Raise `InvalidInput` where `field` is none of text or labels."""
    columns = catalogue.columns.by_name
    if not isinstance(columns.get(field), StringColumn | StringListColumn):
        fields = sorted(name for name, column in columns.items() if isinstance(column, StringColumn | StringListColumn))
        raise InvalidInput("of", field, f"a field of text or of labels: {', '.join(fields)}")
