"""Reasons for what is new from an author whose items the person took up before: whom they follow, whether they ever said so or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from recommender.cause_kernels import any_followed
from recommender.columns import StringColumn
from recommender.composing.labels import label_named, labels_of
from recommender.feeds import NAMED, ReasonKind, Reasons
from recommender.generation.catalogue import Catalogue
from recommender.overlay.catalogue import OverlaidCatalogue
from recommender.sources.past import Past

FOLLOWED = 2
"""Items of an author that somebody must have taken up to count as following them: one may be chance."""

_FRESH = int(ReasonKind.FRESH)

Rows = npt.NDArray[np.int32]


def from_authors(reasons: Reasons, past: Past, rows: Rows, catalogue: Catalogue | OverlaidCatalogue) -> Reasons:
    """The `reasons` of `rows`, shape (r,), but that those which are there for being new say so where the author is one of whom `past`
    speaks for two items or more, other ones than these; the newest of them are named as causes."""
    liked = past.liked
    if len(liked) < FOLLOWED:
        return reasons
    # Most feeds have nothing of anybody who is followed, which one look at the authors' codes tells, where no others lie over them.
    authors_of = catalogue.columns.by_name.get("author") if isinstance(catalogue, Catalogue) else None
    if isinstance(authors_of, StringColumn) and not any_followed(reasons.kinds, _FRESH, rows, authors_of.codes, liked, FOLLOWED):
        return reasons
    new = np.flatnonzero((reasons.kinds == _FRESH) & (rows[: len(reasons)] >= 0))
    if not len(new):
        return reasons
    kinds, because, authors = reasons.kinds.copy(), reasons.because.copy(), dict[int, str]()
    for place, code, items in _followed(past, rows[new], catalogue):
        kinds[new[place]] = ReasonKind.NEW_FROM_AUTHOR
        because[new[place], : len(items)] = items
        authors[int(new[place])] = label_named(catalogue, "author", code)
    return replace(reasons, kinds=kinds, because=because, authors=authors) if authors else reasons


def _followed(past: Past, rows: Rows, catalogue: Catalogue | OverlaidCatalogue) -> Iterator[tuple[int, int, npt.NDArray[np.uint32]]]:
    """Of `rows` those by an author of whom enough was taken up: place, the author's code, and the numbers of what was taken up, newest
    first."""
    liked, numbers = past.liked[::-1], past.numbers[past.positive][::-1]
    # Looked up together, since codes can be compared only then.
    labels = labels_of(catalogue, "author", np.concatenate([liked, rows]))
    before = labels.places < len(liked)
    of_liked, liked_places = labels.codes[before], labels.places[before]
    for at, code in zip((labels.places[~before] - len(liked)).tolist(), labels.codes[~before].tolist(), strict=True):
        theirs = liked_places[of_liked == code]
        theirs = theirs[liked[theirs] != rows[at]]
        if len(theirs) >= FOLLOWED:
            yield at, code, numbers[theirs[:NAMED]]
