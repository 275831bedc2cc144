"""Popularity of genre: what cold items are measured against."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.generation import Contents
from recommender.judging import HeldOut
from recommender.judging.list_figures import categories_of
from recommender.judging.metrics import recall


def genre_popularity_recall(contents: Contents, held_out: HeldOut, k: int) -> npt.NDArray[np.float64]:
    """Recall at k of ranking each person's candidates by genre, shape (q,).

    A candidate scores Σ over its genres of (share of the history's items in the genre) · (mean popularity of the genre's items with
    events). Ties go by item number. Raises ValueError where people have no candidates of their own.
    """
    if held_out.candidates is None:
        raise ValueError("only a protocol with candidates can be ranked by genre")
    genres = (categories_of(contents.catalogue) > 0).astype(np.float32)
    known = contents.popularity > 0
    popular = np.asarray(genres.T @ np.where(known, contents.popularity, 0)) / np.maximum(np.asarray(genres.T @ known), 1)
    hits = np.zeros((len(held_out), k), dtype=np.bool_)
    for place, history in enumerate(held_out.histories):
        rows = contents.catalogue.rows_of(history["item"])
        liked = genres[rows[rows >= 0]].sum(axis=0) / max(len(history), 1)
        candidates = np.setdiff1d(held_out.candidates[place], np.fromiter(held_out.consumed[place], dtype=np.uint32))
        scores = genres[contents.catalogue.rows_of(candidates)] @ (liked * popular)
        best = candidates[np.argsort(-scores, kind="stable")][:k]
        hits[place, : len(best)] = np.isin(best, held_out.targets[place])
    return recall(hits, np.array([len(targets) for targets in held_out.targets]), k)
