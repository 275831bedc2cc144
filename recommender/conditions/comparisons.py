"""Type rules of operators between two operands: comparisons, `in`, + - * /."""

from __future__ import annotations

import numpy as np

from recommender.columns import Columns
from recommender.conditions.frame import Frame, Truth
from recommender.conditions.literals import DURATION_RANGE, TIME_RANGE
from recommender.conditions.logic import Chain, Not, Present, SameTruth
from recommender.conditions.numeric import (
    Arithmetic,
    MomentComparison,
    MomentConstant,
    MomentInList,
    Moments,
    NumberComparison,
    NumberConstant,
    NumberInList,
    Shift,
)
from recommender.conditions.operands import (
    AttributesOperand,
    DurationOperand,
    ListFieldOperand,
    ListOperand,
    NullOperand,
    NumberOperand,
    Operand,
    TextOperand,
    TimeOperand,
    TruthOperand,
)
from recommender.conditions.refusal import Span
from recommender.conditions.scope import Scope
from recommender.conditions.textual import AnyInList, TextComparison, TextConstant, TextInField, TextTest, compared, one_of
from recommender.items import ItemKind
from recommender.times import MISSING_TIME

_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_KINDS = tuple(kind.name.lower() for kind in ItemKind)
NOWHERE = Frame(Columns(0, {}), 0, 0)
"""Where constants are evaluated."""


def comparison(scope: Scope, span: Span, operator: str, left: Operand, right: Operand) -> Truth:
    """left operator right, of two operands of one type; == null and != null ask whether a field is missing."""
    equality = operator in ("==", "!=")
    if isinstance(left, NullOperand) or isinstance(right, NullOperand):
        asked = right if isinstance(left, NullOperand) else left
        if not asked.field or not equality or isinstance(asked, ListFieldOperand):
            raise scope.refused(span, "field == null or field != null, of a field that is no list (an empty list has size 0)")
        return Not(Present(asked.field)) if operator == "==" else Present(asked.field)
    if isinstance(left, NumberOperand) and isinstance(right, NumberOperand):
        return NumberComparison(operator, left.number, right.number)
    if isinstance(left, TextOperand) and isinstance(right, TextOperand):
        return _text_comparison(scope, operator, left, right)
    if (isinstance(left, TimeOperand) and isinstance(right, TimeOperand)) or (
        isinstance(left, DurationOperand) and isinstance(right, DurationOperand)
    ):
        return MomentComparison(operator, left.moments, right.moments)
    if isinstance(left, TruthOperand) and isinstance(right, TruthOperand):
        if not equality:
            raise scope.refused(span, f"== or != between true/false values; {scope.described(left, right)}")
        same = SameTruth(left.truth, right.truth)
        return same if operator == "==" else Not(same)
    raise scope.refused(span, f"two single values of one type around {operator}; {scope.described(left, right)}{_hint(left, right)}")


def _hint(left: Operand, right: Operand) -> str:
    for moment, text in ((left, right), (right, left)):
        if isinstance(text, TextOperand) and isinstance(moment, TimeOperand):
            return '; a time is written timestamp("2026-01-31T08:00:00Z")'
        if isinstance(text, TextOperand) and isinstance(moment, DurationOperand):
            return '; a length of time is written duration("48h")'
        if isinstance(text, TextOperand) and isinstance(moment, ListFieldOperand):
            return f'; whether a list holds a text is asked with "…" in {moment.field}'
    return ""


def _text_comparison(scope: Scope, operator: str, left: TextOperand, right: TextOperand) -> Truth:
    if isinstance(left.text, TextConstant) and not isinstance(right.text, TextConstant):
        left, right, operator = right, left, _TURNED[operator]
    if not isinstance(right.text, TextConstant):
        return TextComparison(operator, left.text, right.text)
    _check_kind(scope, left, right)
    return TextTest(left.text, compared(operator, right.text.value))


def _check_kind(scope: Scope, asked: Operand, constant: TextOperand) -> None:
    assert isinstance(constant.text, TextConstant)
    if asked.field == "kind" and constant.text.value not in _KINDS:
        raise scope.refused(constant.span, f"the kinds {', '.join(_KINDS)}")


def membership(scope: Scope, span: Span, left: Operand, right: Operand) -> Truth:
    """left in right: a constant or field in a list literal, a text in a list field, an attribute's name in `attributes`."""
    if isinstance(right, ListOperand):
        return _in_literal(scope, span, left, right)
    if isinstance(left, TextOperand):
        constant = left.text.value if isinstance(left.text, TextConstant) else None
        if isinstance(right, ListFieldOperand):
            return TextInField(left.text, right.field) if constant is None else AnyInList(right.field, one_of(frozenset([constant])))
        if isinstance(right, AttributesOperand) and constant is not None:
            return Present(scope.attribute(left.span, constant).field)
    if isinstance(right, ListFieldOperand):
        raise scope.refused(span, f"a string in {right.field}; {scope.described(left, right)}")
    raise scope.refused(span, f"a list after in, such as [1, 2], or a field that is one; {scope.described(right)}")


def _in_literal(scope: Scope, span: Span, left: Operand, right: ListOperand) -> Truth:
    items = right.items
    if isinstance(left, TextOperand) and all(isinstance(item, TextOperand) for item in items):
        texts = []
        for item in items:
            assert isinstance(item, TextOperand)
            assert isinstance(item.text, TextConstant)
            _check_kind(scope, left, item)
            texts.append(item.text.value)
        return TextTest(left.text, one_of(frozenset(texts)))
    if isinstance(left, NumberOperand) and all(isinstance(item, NumberOperand) for item in items):
        numbers = (item.number.values(NOWHERE) for item in items if isinstance(item, NumberOperand))
        return NumberInList(left.number, tuple(float(number) for number in numbers))
    for kind in (TimeOperand, DurationOperand):
        if isinstance(left, kind) and all(isinstance(item, kind) for item in items):
            moments = (item.moments.micros(NOWHERE) for item in items if isinstance(item, kind))
            return MomentInList(left.moments, tuple(int(moment) for moment in moments))
    if isinstance(left, TruthOperand) and all(isinstance(item, TruthOperand) for item in items):
        # x && !x is false, or unknown where x is, which is what an empty list has to answer.
        never = Chain((left.truth, Not(left.truth)), every=True)
        return Chain((never, *(SameTruth(left.truth, item.truth) for item in items if isinstance(item, TruthOperand))), every=False)
    raise scope.refused(span, f"a value and a list of one type around in; {scope.described(left, *items[:3])}")


def arithmetic(scope: Scope, span: Span, operator: str, left: Operand, right: Operand) -> Operand:
    """left operator right: + - * / of numbers; + and - of times and durations."""
    constant = left.constant and right.constant
    if isinstance(left, NumberOperand) and isinstance(right, NumberOperand):
        computed = Arithmetic(operator, left.number, right.number)
        if not constant:
            return NumberOperand(span, number=computed)
        value = float(computed.values(NOWHERE))
        if np.isnan(value):
            raise scope.refused(span, "arithmetic that has a result, below 2^53 for whole numbers")
        return NumberOperand(span, constant=True, number=NumberConstant(value, computed.whole))
    times = [isinstance(side, TimeOperand) for side in (left, right)]
    durations = [isinstance(side, DurationOperand) for side in (left, right)]
    if operator in "+-" and all(time or duration for time, duration in zip(times, durations, strict=True)):
        assert isinstance(left, TimeOperand | DurationOperand)
        assert isinstance(right, TimeOperand | DurationOperand)
        if times == [True, True] and operator == "-":
            return _shifted(scope, span, operator, left, right, lasting=True)
        if durations == [True, True]:
            return _shifted(scope, span, operator, left, right, lasting=True)
        if times == [True, False] or (times == [False, True] and operator == "+"):
            return _shifted(scope, span, operator, left, right, lasting=False)
    raise scope.refused(span, f"numbers, or times and durations (+ and - only), around {operator}; {scope.described(left, right)}")


def _shifted(
    scope: Scope,
    span: Span,
    operator: str,
    left: TimeOperand | DurationOperand,
    right: TimeOperand | DurationOperand,
    *,
    lasting: bool,
) -> Operand:
    moments: Moments = Shift(operator, left.moments, right.moments, DURATION_RANGE if lasting else TIME_RANGE)
    constant = left.constant and right.constant
    if constant:
        value = int(moments.micros(NOWHERE))
        if value == MISSING_TIME:
            raise scope.refused(span, "a result between the years 1 and 9999, or of at most 10,000 years")
        moments = MomentConstant(value)
    operand = DurationOperand if lasting else TimeOperand
    return operand(span, constant=constant, moments=moments)
