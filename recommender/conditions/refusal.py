"""How a condition is refused: with the part that is wrong, where it stands, and what may stand there."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.errors import InvalidCondition

FIELD = "filter"
_SNIPPET_LIMIT = 80


@dataclass(frozen=True)
class Span:
    """Part of an expression: characters `start` (from 0) up to, but not including, `end`."""

    start: int
    end: int


def snippet(expression: str, span: Span) -> str:
    """The text of `span`, cut to 80 characters."""
    text = expression[span.start : span.end].strip()
    return text if len(text) <= _SNIPPET_LIMIT else text[: _SNIPPET_LIMIT - 1] + "…"


def refused(expression: str, span: Span, allowed: str) -> InvalidCondition:
    """The error for the part of `expression` at `span`; characters are counted from 1 in its message."""
    text = snippet(expression, span) or "nothing"
    return InvalidCondition(FIELD, f"{text} (character {span.start + 1})", allowed)
