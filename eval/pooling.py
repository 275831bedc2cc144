"""Windows as one: the same catalogue judged at several moments, every person's value in every window counting once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from recommender.judging import HeldOut, Judgement, bootstrap_means


def pooled_people(windows: Sequence[HeldOut]) -> HeldOut:
    """All queries of all windows, one window after the other, each with its own "now"; a person may stand in several.

    Candidates are kept where every window has them. `cut` is the last window's.
    """
    if len(windows) == 1:
        return windows[0]
    moments = [np.full(len(window), window.cut, dtype=np.int64) if window.moments is None else window.moments for window in windows]
    candidates = [window.candidates for window in windows if window.candidates is not None]
    return HeldOut(
        np.concatenate([window.people for window in windows]),
        list(chain.from_iterable(window.histories for window in windows)),
        list(chain.from_iterable(window.consumed for window in windows)),
        list(chain.from_iterable(window.dismissed for window in windows)),
        list(chain.from_iterable(window.targets for window in windows)),
        windows[-1].cut,
        list(chain.from_iterable(candidates)) if len(candidates) == len(windows) else None,
        np.concatenate(moments),
    )


def pooled(judgements: Sequence[Judgement], people: np.ndarray[tuple[int], np.dtype[np.uint32]], seed: int) -> Judgement:
    """One variant's judgements of all windows as one over all their `people`, shape (q,).

    Intervals resample whole people over all windows. Figures that only lists together have (coverage, Gini) are those of
    one generation's lists, so that their plain mean over the windows stands for them; counts of excluded people are added up.
    """
    if len(judgements) == 1:
        return judgements[0]
    names = [name for name in judgements[0].values if all(name in judgement.values for judgement in judgements)]
    values = {name: np.concatenate([judgement.values[name] for judgement in judgements]) for name in names}
    shared = [name for name in judgements[0].overall if all(name in judgement.overall for judgement in judgements)]
    overall = {
        name: float((np.sum if name.endswith("_excluded") else np.mean)([judgement.overall[name] for judgement in judgements]))
        for name in shared
    }
    lists = np.concatenate([judgement.lists for judgement in judgements])
    first = lists[:, :10]
    return Judgement(
        judgements[0].variant,
        values,
        bootstrap_means(values, np.random.default_rng(seed), people=people),
        overall,
        lists,
        np.concatenate([judgement.hits for judgement in judgements]),
        np.concatenate([judgement.relevant for judgement in judgements]),
        len(np.unique(first[first >= 0])),
        np.concatenate([judgement.scores for judgement in judgements]),
    )
