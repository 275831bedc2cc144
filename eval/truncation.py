"""Histories cut short: what the same people would be shown, had less been known of them."""

from __future__ import annotations

from dataclasses import replace

from recommender.errors import InvalidInput
from recommender.judging import HeldOut


def truncated(held_out: HeldOut, newest: int) -> HeldOut:
    """`held_out` with each history cut to its `newest` events, 0 or more; who has no more keeps them all.

    All else stays as it is: what was consumed is still not shown again, and the same items are looked for. Raises `InvalidInput` for a
    number below 0.
    """
    if newest < 0:
        raise InvalidInput("newest", newest, "a number of events, 0 or more")
    return replace(held_out, histories=[history[max(len(history) - newest, 0) :] for history in held_out.histories])
