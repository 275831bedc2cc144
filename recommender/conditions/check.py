"""From the syntax tree to something that can be evaluated: names are looked up, types checked, literals read.

Whatever is not in the documented subset (docs/filters.md) is refused, with what would be allowed in its place.
"""

from __future__ import annotations

from dataclasses import replace

from recommender.conditions import calls
from recommender.conditions.comparisons import arithmetic, comparison, membership
from recommender.conditions.frame import Truth
from recommender.conditions.logic import Chain, Constant, Not, Present
from recommender.conditions.numeric import Now, NumberConstant
from recommender.conditions.operands import (
    AttributesOperand,
    ListFieldOperand,
    ListOperand,
    NullOperand,
    NumberOperand,
    Operand,
    TextOperand,
    TimeOperand,
    TruthOperand,
)
from recommender.conditions.scope import Scope
from recommender.conditions.syntax import Binary, Call, ListLiteral, Literal, Logic, Name, Node, Select, Unary
from recommender.conditions.textual import Exists, TextConstant

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def truth(scope: Scope, node: Node) -> Truth:
    """`node` as a condition. Raises `InvalidCondition` when it is something else than true or false."""
    operand = check(scope, node)
    if not isinstance(operand, TruthOperand):
        raise scope.refused(node.span, f"something that is true or false; {scope.described(operand)}")
    return operand.truth


def check(scope: Scope, node: Node) -> Operand:
    """`node` with its type, ready to be evaluated. Raises `InvalidCondition`."""
    span = node.span
    match node:
        case Literal():
            return _literal(node)
        case ListLiteral():
            items = tuple(check(scope, item) for item in node.items)
            for item in items:
                if not item.constant:
                    raise scope.refused(item.span, "constants in a list")
            return ListOperand(span, items=items)
        case Name():
            return _name(scope, node)
        case Select():
            operand = check(scope, node.operand)
            if not isinstance(operand, AttributesOperand):
                raise scope.refused(span, f"a dot after attributes only; {scope.described(operand)}")
            return scope.attribute(span, node.name)
        case Call():
            return _call(scope, node)
        case Unary(operator="!"):
            return TruthOperand(span, truth=Not(truth(scope, node.operand)))
        case Unary():
            operand = check(scope, node.operand)
            if not isinstance(operand, NumberOperand):
                raise scope.refused(span, f"a number after -; {scope.described(operand)}")
            minus = NumberOperand(span, constant=True, number=NumberConstant(-1.0, whole=True))
            return arithmetic(scope, span, "*", minus, operand)
        case Logic():
            return TruthOperand(span, truth=Chain(tuple(truth(scope, part) for part in node.operands), every=node.operator == "&&"))
        case Binary():
            left, right = check(scope, node.left), check(scope, node.right)
            if node.operator == "in":
                return TruthOperand(span, truth=membership(scope, span, left, right))
            if node.operator in _COMPARISONS:
                return TruthOperand(span, truth=comparison(scope, span, node.operator, left, right))
            return arithmetic(scope, span, node.operator, left, right)


def _literal(node: Literal) -> Operand:
    value = node.value
    if value is None:
        return NullOperand(node.span)
    if isinstance(value, bool):
        return TruthOperand(node.span, constant=True, truth=Constant(value))
    if isinstance(value, str):
        return TextOperand(node.span, constant=True, text=TextConstant(value))
    return NumberOperand(node.span, constant=True, number=NumberConstant(float(value), whole=isinstance(value, int)))


def _name(scope: Scope, node: Name) -> Operand:
    if node.name != scope.variable:
        if node.name == "now":
            scope.uses.now = True
            return TimeOperand(node.span, moments=Now())
        if node.name == "attributes":
            return AttributesOperand(node.span)
    return scope.name(node.span, node.name)


def _call(scope: Scope, node: Call) -> Operand:
    if node.target is None:
        if node.function == "has":
            return _has(scope, node)
        return calls.function(scope, node.span, node.function, [check(scope, argument) for argument in node.arguments])
    target = check(scope, node.target)
    if node.function == "exists":
        return _exists(scope, node, target)
    return calls.method(scope, node.span, target, node.function, [check(scope, argument) for argument in node.arguments])


def _has(scope: Scope, node: Call) -> Operand:
    if len(node.arguments) == 1 and isinstance(node.arguments[0], Select):
        return TruthOperand(node.span, truth=Present(check(scope, node.arguments[0]).field))
    raise scope.refused(node.span, "has(attributes.name); whether another field is there is asked with field != null")


def _exists(scope: Scope, node: Call, target: Operand) -> Operand:
    if not isinstance(target, ListFieldOperand):
        raise scope.refused(node.span, f"a field that is a list before .exists; {scope.described(target)}")
    if len(node.arguments) != 2 or not isinstance(node.arguments[0], Name):
        raise scope.refused(node.span, f'a name and a condition on it, such as {target.field}.exists(x, x.startsWith("a"))')
    inner = replace(scope, variable=node.arguments[0].name)
    return TruthOperand(node.span, truth=Exists(target.field, truth(inner, node.arguments[1])))
