"""Which of a placement's rules hold for one query."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from recommender.composing.audience import Audience
from recommender.composing.rules import Boost, Bury, Ensure, Exclude, Limit, Pin, Require, Rule
from recommender.errors import InvalidCondition

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InForce:
    """Rules that hold, each kind in the order of the file, where what comes first is the weightier.

    `names`: those of all of them. `required` and `excluded` are conditions on items, which all and none of what is shown must meet.
    `failed`: names of rules that cannot be asked, for their audience's condition is none or items have nothing that they go by.
    """

    pins: tuple[Pin, ...] = ()
    factors: tuple[Boost | Bury, ...] = ()
    quotas: tuple[Limit | Ensure, ...] = ()
    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def arranges(self) -> bool:
        """Whether anything is to be put in another order."""
        return bool(self.pins or self.factors or self.quotas)


NOTHING = InForce()


def in_force(rules: Sequence[Rule], audience: Audience, now: datetime, can_ask: Callable[[Rule], bool]) -> InForce:
    """Those of `rules` that hold for `audience` at `now`, aware. `can_ask`: whether there are items that a rule may speak of."""
    if not rules:
        return NOTHING
    failed: list[str] = []
    holding = [rule for rule in rules if rule.holds_at(now) and _meant_for(rule, audience, now, failed)]
    failed += [rule.name for rule in holding if not can_ask(rule)]
    if not holding and not failed:
        return NOTHING
    return InForce(
        pins=tuple(rule for rule in holding if isinstance(rule, Pin)),
        factors=tuple(rule for rule in holding if isinstance(rule, Boost | Bury)),
        quotas=tuple(rule for rule in holding if isinstance(rule, Limit | Ensure)),
        required=tuple(rule.filter for rule in holding if isinstance(rule, Require)),
        excluded=tuple(rule.filter for rule in holding if isinstance(rule, Exclude)),
        failed=tuple(dict.fromkeys(failed)),
        names=tuple(rule.name for rule in holding),
    )


def _meant_for(rule: Rule, audience: Audience, now: datetime, failed: list[str]) -> bool:
    if not rule.audience:
        return True
    try:
        return audience.meets(rule.audience, now)
    except InvalidCondition:
        log.exception("a rule's audience cannot be asked", extra={"rule": rule.name})
        failed.append(rule.name)
        # What must not be shown is rather hidden from too many than shown to somebody.
        return isinstance(rule, Exclude | Require)
