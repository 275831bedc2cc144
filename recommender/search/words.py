"""Words of a text in one spelling: however letters are written, with or without accents, in whatever script."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

_UNSEEN = (
    *("\u00ad", "\u034f", "\ufeff"),
    *map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x2070))),
    *map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))),
)
"""Signs that nobody sees: soft hyphens, joiners and their like, directions of writing, and which form of the sign before is meant."""
_FURTHER = str.maketrans(
    {
        **dict.fromkeys(_UNSEEN, ""),
        **{"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "\u0131": "i", "_": " "},
        **dict.fromkeys("\u2018\u2019\u02bc", "'"),
    }
)
"""Letters that are no other letter with an accent, but that people without them on their keyboard write so; signs that stand for one
another."""
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]")
"""Marks of Latin, Greek and Cyrillic letters. Those of other scripts are letters in all but name."""
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+"
)
"""Scripts that are written without spaces: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""
_MARKS = ("Mn", "Mc")
_KEPT = 4_096


def folded(text: str) -> str:
    """`text` with all ways to write the same made one: compatible forms (NFKC), case, accents; without apostrophes and what nobody sees."""
    if text.isascii():
        return text.lower().replace("'", "").replace("_", " ")
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_FURTHER)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", plain))).replace("'", "")


@lru_cache(maxsize=_KEPT)
def words_of(text: str) -> tuple[str, ...]:
    """The words of `text`, folded, in their order, as often as they occur.

    Runs of a script without spaces are one word each here; `terms_of` takes them apart. A text of signs alone is one word.
    """
    plain = folded(text)
    found = _split(plain)
    return tuple(found) if found or not plain.strip() else ("".join(plain.split()),)


def _split(text: str) -> list[str]:
    """The words of a folded `text`. Marks that are no accents, as are vowel signs of Indian scripts, are part of words, but none by
    themselves."""
    if text.isascii() or not any(unicodedata.category(sign) in _MARKS for sign in text):
        return _WORD.findall(text)
    kept = "".join(sign if sign.isalnum() or unicodedata.category(sign) in _MARKS else " " for sign in text)
    return [word for word in kept.split() if any(map(str.isalnum, word))]


def key_of(text: str) -> str:
    """What texts have in common that differ in nothing but spelling, spaces and signs between words."""
    return " ".join(words_of(text))


def terms_of(word: str) -> tuple[str, ...]:
    """What a folded `word` is found by: itself, or in a script without spaces every sign and every pair of neighbours.

    Where a script without spaces meets another one, a new word begins.
    """
    if word.isascii() or not _UNSPACED.search(word):
        return (word,)
    terms: list[str] = []
    end = 0
    for run in _UNSPACED.finditer(word):
        if run.start() > end:
            terms.append(word[end : run.start()])
        signs, end = run.group(), run.end()
        terms += [*signs, *(first + second for first, second in pairwise(signs))]
    if end < len(word):
        terms.append(word[end:])
    return tuple(terms)


def is_spelt(term: str) -> bool:
    """Whether a term is a word that may be misspelt, rather than signs of a script without spaces."""
    return term.isascii() or not _UNSPACED.match(term)
