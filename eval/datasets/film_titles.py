"""Titles as people write them, from the catalogue form of MovieLens: "Postman, The (1997)" becomes "The Postman"."""

from __future__ import annotations

import re

_ARTICLES = "The|A|An|La|Le|Les|L'|Un|Une|Il|Lo|Gli|El|Los|Las|Der|Die|Das|Det|Den|De|O"
_TRAILING_ARTICLE = re.compile(rf"^(?P<rest>.+), (?P<article>{_ARTICLES})$")
_OTHER_TITLE = re.compile(r"^(?P<title>[^(]+) \((?P<other>[^()]+)\)$")
_YEAR = re.compile(r"^(?P<title>.+?) ?\((?P<year>[0-9]{4})\)(?: \(V\))?$")

UNKNOWN_TITLE = "Unknown film"
"""What the one film is called of which MovieLens knows nothing."""

_UNKNOWN = frozenset({"unknown", "unkonwn (unkonwn)"})


def title_and_year(given: str) -> tuple[str, int | None]:
    """The readable title without the year, and the year; None where it is not known.

    Takes "Title (1995)", "Title, The (Other title, La) (1995)" and "Title (1995) (V)", the mark of films that went straight to video.
    """
    stripped = given.strip()
    if stripped in _UNKNOWN:
        return UNKNOWN_TITLE, None
    found = _YEAR.match(stripped)
    if found is None:
        return natural_title(stripped), None
    return natural_title(found["title"]), int(found["year"])


def natural_title(given: str) -> str:
    """`given` with trailing articles put first, also within a second title in brackets."""
    both = _OTHER_TITLE.match(given)
    if both is not None:
        return f"{_article_first(both['title'])} ({_article_first(both['other'])})"
    return _article_first(given)


def _article_first(title: str) -> str:
    found = _TRAILING_ARTICLE.match(title)
    if found is None:
        return title
    article = found["article"]
    return f"{article}{'' if article.endswith(chr(39)) else ' '}{found['rest']}"
