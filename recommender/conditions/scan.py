"""First look at an expression, before the parser: its bounds, and its text and true/false literals.

The parser's own patterns for quoted text backtrack without bound on hostile input and know only some escapes, and it loses
the place of true and false. So each such literal is read here and handed on as harmless quoted text of the same length:
every position in the parser's tree is then a position in what the caller wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from recommender.conditions.refusal import Span, refused

EXPRESSION_LIMIT = 2_000
"""Characters in an expression."""

NESTING_LIMIT = 50
"""Brackets within brackets."""

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    **{character: character for character in "\\?\"'`"},
}
_ESCAPE_FORM = r"""the escapes \a \b \f \n \r \t \v \\ \? \" \' \` \ooo \xhh \uhhhh \Uhhhhhhhh, or raw text (r in front)"""
_HEX_DIGITS = {"x": 2, "X": 2, "u": 4, "U": 8}
_HEX = re.compile(r"[0-9a-fA-F]+")
_OCTAL = re.compile(r"[0-3][0-7]{2}")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Scanned:
    """`text`: the expression, of the same length, with its literals and comments made harmless. `literals`: by the place
    where it starts, what each text or true/false literal stands for."""

    text: str
    literals: Mapping[int, str | bool]


def scan(expression: str) -> Scanned:
    """Check length, characters and nesting of `expression`, and read its literals. Raises `InvalidCondition`."""
    if len(expression) > EXPRESSION_LIMIT:
        raise refused(expression, Span(0, len(expression)), f"at most {EXPRESSION_LIMIT} characters; these are {len(expression)}")
    for at, character in enumerate(expression):
        if 0xD800 <= ord(character) <= 0xDFFF:
            raise refused(expression, Span(at, at + 1), "text without lone surrogates")
    parts: list[str] = []
    literals: dict[int, str | bool] = {}
    open_brackets: list[int] = []
    at, literal_end = 0, -1
    while at < len(expression):
        start, character = at, expression[at]
        word = _WORD.match(expression, at)
        quote_at = word.end() if word else at
        quoted = expression[quote_at : quote_at + 1] in ("'", '"')
        if word and quoted and word.group() not in ("r", "R"):
            raise refused(expression, Span(at, quote_at + 1), 'plain text "…" or raw text r"…"; bytes are not supported')
        if quoted:
            literals[start], at = _read_text(expression, start, quote_at, raw=word is not None)
        elif word and word.group() in ("true", "false"):
            literals[start], at = word.group() == "true", word.end()
        elif word:
            at = word.end()
            parts.append(word.group())
        elif expression.startswith("//", at):
            newline = expression.find("\n", at)
            at = len(expression) if newline < 0 else newline
            parts.append(" " * (at - start))
        else:
            at += 1
            parts.append(character)
            _follow_brackets(expression, start, open_brackets)
        if start in literals:
            if start == literal_end:
                raise refused(expression, Span(start, at), "an operator between two literals")
            literal_end = at
            parts.append('"' + "x" * (at - start - 2) + '"')
    if open_brackets:
        start = open_brackets[-1]
        raise refused(expression, Span(start, len(expression)), f"a closing {_CLOSING[expression[start]]} for this bracket")
    return Scanned("".join(parts), MappingProxyType(literals))


def _follow_brackets(expression: str, at: int, open_brackets: list[int]) -> None:
    character = expression[at]
    if character in _CLOSING:
        open_brackets.append(at)
        if len(open_brackets) > NESTING_LIMIT:
            raise refused(expression, Span(at, len(expression)), f"at most {NESTING_LIMIT} brackets within brackets")
    elif character in ")]}":
        if not open_brackets or _CLOSING[expression[open_brackets[-1]]] != character:
            raise refused(expression, Span(at, at + 1), "closing brackets that match opening ones")
        open_brackets.pop()


def _read_text(expression: str, start: int, quote_at: int, *, raw: bool) -> tuple[str, int]:
    """What the literal at `start` stands for, and where it ends."""
    quote = expression[quote_at]
    fence = quote * 3 if expression.startswith(quote * 3, quote_at) else quote
    at = quote_at + len(fence)
    read: list[str] = []
    while at < len(expression):
        if expression.startswith(fence, at):
            return "".join(read), at + len(fence)
        character = expression[at]
        if character in "\r\n" and len(fence) == 1:
            break
        if character == "\\" and not raw:
            escaped, at = _read_escape(expression, at)
            read.append(escaped)
        else:
            read.append(character)
            at += 1
    where = " on the same line" if len(fence) == 1 else ""
    raise refused(expression, Span(start, at), f"text that ends with {fence}{where}")


def _read_escape(expression: str, at: int) -> tuple[str, int]:
    """The character that the escape at `at` stands for, and where the escape ends."""
    letter = expression[at + 1 : at + 2]
    if letter in _ESCAPES:
        return _ESCAPES[letter], at + 2
    octal = _OCTAL.match(expression, at + 1)
    if octal:
        return chr(int(octal.group(), 8)), octal.end()
    if letter in _HEX_DIGITS:
        end = at + 2 + _HEX_DIGITS[letter]
        digits = expression[at + 2 : end]
        if len(digits) == _HEX_DIGITS[letter] and _HEX.fullmatch(digits):
            code = int(digits, 16)
            if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
                return chr(code), end
        raise refused(expression, Span(at, end), r"\xhh, \uhhhh or \Uhhhhhhhh of a Unicode character that is no surrogate")
    raise refused(expression, Span(at, at + 2), _ESCAPE_FORM)
