"""Type rules of functions and methods whose arguments are plain operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from recommender.conditions.literals import DURATION_FORM, TIMESTAMP_FORM, read_duration, read_timestamp
from recommender.conditions.numeric import MomentConstant, NumberConstant
from recommender.conditions.operands import (
    DurationOperand,
    ListFieldOperand,
    ListOperand,
    NumberOperand,
    Operand,
    TextOperand,
    TimeOperand,
    TruthOperand,
)
from recommender.conditions.patterns import PATTERN_FORM, STEP_LIMIT, pattern_steps
from recommender.conditions.refusal import Span
from recommender.conditions.scope import Scope
from recommender.conditions.textual import Test, TextConstant, TextSize, TextTest, containing, ending, matching, starting

_TESTS: dict[str, Callable[[str], Test]] = {"startsWith": starting, "endsWith": ending, "contains": containing, "matches": matching}

FUNCTIONS = "timestamp, duration, size, has"
METHODS = "startsWith, endsWith, contains, matches, size, exists"


def function(scope: Scope, span: Span, name: str, arguments: Sequence[Operand]) -> Operand:
    """name(arguments), for every function but `has`."""
    if name == "size":
        if len(arguments) != 1:
            raise scope.refused(span, f"one argument of size; these are {len(arguments)}")
        return _size(scope, span, arguments[0])
    if name in ("timestamp", "duration"):
        form = TIMESTAMP_FORM if name == "timestamp" else DURATION_FORM
        text = _constant_text(arguments)
        moment = None if text is None else (read_timestamp if name == "timestamp" else read_duration)(text)
        if moment is None:
            raise scope.refused(span, form)
        operand = TimeOperand if name == "timestamp" else DurationOperand
        return operand(span, constant=True, moments=MomentConstant(moment))
    raise scope.refused(span, f"the functions {FUNCTIONS}, and after a dot {METHODS}")


def method(scope: Scope, span: Span, target: Operand, name: str, arguments: Sequence[Operand]) -> Operand:
    """target.name(arguments), for every method but `exists`."""
    if name == "size" and not arguments:
        return _size(scope, span, target)
    if name not in _TESTS:
        raise scope.refused(span, f"the methods {METHODS}")
    if not isinstance(target, TextOperand):
        raise scope.refused(span, f"a string before .{name}; {scope.described(target)}")
    text = _constant_text(arguments)
    if text is None:
        raise scope.refused(span, f'one text literal in .{name}("…"); {scope.described(*arguments) or "there is none"}')
    if name == "matches":
        steps = pattern_steps(text)
        scope.uses.steps += steps or 0
        if steps is None or scope.uses.steps > STEP_LIMIT:
            raise scope.refused(arguments[0].span, PATTERN_FORM)
    return TruthOperand(span, constant=target.constant, truth=TextTest(target.text, _TESTS[name](text)))


def _constant_text(arguments: Sequence[Operand]) -> str | None:
    if len(arguments) != 1 or not isinstance(arguments[0], TextOperand) or not isinstance(arguments[0].text, TextConstant):
        return None
    return arguments[0].text.value


def _size(scope: Scope, span: Span, operand: Operand) -> Operand:
    if isinstance(operand, ListFieldOperand):
        return NumberOperand(span, number=operand.size)
    if isinstance(operand, ListOperand):
        return NumberOperand(span, constant=True, number=NumberConstant(float(len(operand.items)), whole=True))
    if isinstance(operand, TextOperand):
        if isinstance(operand.text, TextConstant):
            return NumberOperand(span, constant=True, number=NumberConstant(float(len(operand.text.value)), whole=True))
        return NumberOperand(span, number=TextSize(operand.text))
    raise scope.refused(span, f"size of a string or list; {scope.described(operand)}")
