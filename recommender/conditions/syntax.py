"""From an expression's text to its syntax tree: the parser is cel-python's, the tree is ours and bounded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from recommender.conditions.refusal import Span, refused
from recommender.conditions.scan import Scanned, scan
from recommender.errors import InvalidCondition

if TYPE_CHECKING:
    from celpy.celparser import CELParseError

DEPTH_LIMIT = 50
"""Nodes on the way from the root of a tree to a leaf; a chain of && or of || counts once."""

NODE_LIMIT = 500
"""Nodes of a tree."""

LIST_LIMIT = 200
"""Items of a list literal."""

WHOLE_LIMIT = 2**53 - 1
"""Size of whole numbers: up to here a float64 holds each of them exactly, and no larger result is rounded down to it."""


@dataclass(frozen=True)
class Literal:
    """A constant as it was written; None is null."""

    span: Span
    value: str | bool | int | float | None


@dataclass(frozen=True)
class ListLiteral:
    """[a, b, c]"""

    span: Span
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Name:
    """A field, `attributes`, `now` or the variable of a macro."""

    span: Span
    name: str


@dataclass(frozen=True)
class Select:
    """operand.name or operand["name"]"""

    span: Span
    operand: Node
    name: str


@dataclass(frozen=True)
class Call:
    """function(arguments), or target.function(arguments)"""

    span: Span
    function: str
    target: Node | None
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Unary:
    """!operand or -operand"""

    span: Span
    operator: str
    operand: Node


@dataclass(frozen=True)
class Binary:
    """A comparison, `in`, or arithmetic."""

    span: Span
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Logic:
    """A whole chain of && or of ||."""

    span: Span
    operator: str
    operands: tuple[Node, ...]


Node = Literal | ListLiteral | Name | Select | Call | Unary | Binary | Logic

_CHAINS = {"conditionalor": "||", "conditionaland": "&&"}
_BINARY = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}
_WRAPPERS = frozenset({"expr", "relation", "addition", "multiplication", "unary", "member", "primary", "paren_expr", *_CHAINS})
_FOREIGN = {
    "expr": "conditions joined by && and ||; the choice ? : is not supported",
    "map_lit": "lists […]; maps {…} are not supported",
    "member_object": "field names; messages {…} are not supported",
    "dot_ident": "field names without a leading dot",
    "dot_ident_arg": "function names without a leading dot",
}


def parse(expression: str) -> Node:
    """The syntax tree of `expression`. Raises `InvalidCondition` for what is no CEL, or exceeds the bounds."""
    scanned = scan(expression)
    if not scanned.text.strip():
        raise refused(expression, Span(0, 0), 'a condition such as kind == "article"')
    parser, parse_error = prepare_parser()
    try:
        tree = parser().parse(scanned.text)
    except parse_error as error:
        raise _unparsed(expression, scanned, error) from None
    return _Reader(expression, scanned).node(tree, 1)


@cache
def prepare_parser() -> tuple[Any, type[CELParseError]]:
    """Import the parser and build its tables, which takes some .3 s once per process; the first compilation does it
    where nobody did before."""
    # Importing cel-python pulls in its evaluator and a calendar library, which most processes never need.
    from celpy.celparser import CELParseError, CELParser

    CELParser()
    return CELParser, CELParseError


def _unparsed(expression: str, scanned: Scanned, error: CELParseError) -> InvalidCondition:
    token = getattr(error.__context__, "token", None)
    if token is not None and token.type == "$END":
        end = len(expression.rstrip())
        return refused(expression, Span(0, end), "a complete condition; this one ends too early")
    lines = scanned.text.split("\n")
    line, column = error.line or 1, error.column or 1
    start = sum(len(text) + 1 for text in lines[: line - 1]) + column - 1
    return refused(expression, Span(start, len(expression)), "CEL: this cannot stand here")


class _Reader:
    """Turns the parser's tree into ours, counting nodes and depth."""

    def __init__(self, expression: str, scanned: Scanned) -> None:
        self._expression = expression
        self._scanned = scanned
        self._count = 0

    def node(self, tree: Any, depth: int) -> Node:
        while tree.data in _WRAPPERS and len(tree.children) == 1:
            tree = tree.children[0]
        span = Span(tree.meta.start_pos, tree.meta.end_pos)
        self._count += 1
        if self._count > NODE_LIMIT:
            raise refused(self._expression, span, f"at most {NODE_LIMIT} operations, names and literals")
        if depth > DEPTH_LIMIT:
            raise refused(self._expression, span, f"at most {DEPTH_LIMIT} operations within operations")
        rule, children = str(tree.data), tree.children
        if rule in _CHAINS:
            operands = self._chain(tree, rule)
            return Logic(span, _CHAINS[rule], tuple(self.node(operand, depth + 1) for operand in operands))
        if rule in ("relation", "addition", "multiplication"):
            head, right = children
            operator = _BINARY[str(head.data)]
            if operator == "%":
                raise refused(self._expression, span, "the operators + - * /; % is not supported")
            return Binary(span, operator, self.node(head.children[0], depth + 1), self.node(right, depth + 1))
        if rule == "unary":
            operator = "!" if children[0].data == "unary_not" else "-"
            return Unary(span, operator, self.node(children[1], depth + 1))
        if rule == "literal":
            return Literal(span, self._literal(children[0], span))
        if rule == "list_lit":
            items = children[0].children if children else []
            if len(items) > LIST_LIMIT:
                raise refused(self._expression, span, f"lists of at most {LIST_LIMIT} items; this one has {len(items)}")
            return ListLiteral(span, tuple(self.node(item, depth + 1) for item in items))
        if rule == "ident":
            return Name(span, str(children[0]))
        if rule == "ident_arg":
            return Call(span, str(children[0]), None, self._arguments(children[1:], depth))
        if rule == "member_dot":
            return Select(span, self.node(children[0], depth + 1), str(children[1]))
        if rule == "member_dot_arg":
            return Call(span, str(children[1]), self.node(children[0], depth + 1), self._arguments(children[2:], depth))
        if rule == "member_index":
            index = self.node(children[1], depth + 1)
            if not isinstance(index, Literal) or not isinstance(index.value, str):
                raise refused(self._expression, span, 'attributes["name"]; places in lists are not supported')
            return Select(span, self.node(children[0], depth + 1), index.value)
        raise refused(self._expression, span, _FOREIGN[rule])

    def _chain(self, tree: Any, rule: str) -> list[Any]:
        operands = []
        while tree.data == rule and len(tree.children) == 2:
            operands.append(tree.children[1])
            tree = tree.children[0]
        operands.append(tree)
        return operands[::-1]

    def _arguments(self, lists: list[Any], depth: int) -> tuple[Node, ...]:
        return tuple(self.node(argument, depth + 1) for group in lists for argument in group.children)

    def _literal(self, token: Any, span: Span) -> str | bool | int | float | None:
        if token.type == "NULL_LIT":
            return None
        if token.type == "STRING_LIT":
            return self._scanned.literals[span.start]
        if token.type == "INT_LIT":
            digits = token.lower()
            whole = int(digits, 16 if "x" in digits else 10)
            if abs(whole) > WHOLE_LIMIT:
                raise refused(self._expression, span, f"whole numbers of size below 2^53, up to {WHOLE_LIMIT}")
            return whole
        if token.type == "FLOAT_LIT":
            number = float(token)
            if not math.isfinite(number):
                raise refused(self._expression, span, "numbers that fit a float64, up to 1.7e308")
            return number
        raise refused(self._expression, span, "text, numbers without the suffix u, true, false, null")
