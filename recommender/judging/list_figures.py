"""All figures of lists as lists, computed batch by batch beside the replay: exposure over everybody, variety of each person's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.columns import StringListColumn
from recommender.engine import Recommender
from recommender.generation import Contents
from recommender.generation.catalogue import Catalogue
from recommender.judging.exposure import (
    Lists,
    Values,
    catalogue_coverage,
    gini,
    mean_over_list,
    popularity_lift,
    popularity_shares,
    self_information,
    user_coverage,
)
from recommender.judging.variety import (
    category_shares,
    intra_list_diversity,
    mean_age_days,
    miscalibration,
    serendipity,
    share_younger,
)
from recommender.people import History

LISTED = 10
"""How many leading items of a list are looked at."""
FRESH_DAYS = 7
"""Items younger than this are fresh."""


@dataclass(frozen=True, eq=False)
class ListFigures:
    """What the figures need of one engine, made once for many batches.

    `shares` and `bits`: of each item's popularity, shape (n,); `categories`: shape (n, c), each item's at weights that sum to 1;
    `weights`: by `EventType`; `showable`: how many items may be shown at all.
    """

    contents: Contents
    shares: Values
    bits: Values
    categories: sp.csr_array
    weights: npt.NDArray[np.float32]
    showable: int

    @classmethod
    def of(cls, recommender: Recommender) -> ListFigures:
        """Popularity is what the engine itself has learnt, so that nothing of the time that is judged is in it."""
        contents = recommender.contents
        return cls(
            contents,
            popularity_shares(contents.popularity),
            self_information(contents.popularity),
            categories_of(contents.catalogue),
            recommender.settings.event_weights.table(),
            int(np.count_nonzero(recommender.eligibility.live)),
        )

    def of_people(
        self, lists: Lists, hits: npt.NDArray[np.bool_], expected: Lists, histories: Sequence[History], now: npt.NDArray[np.int64]
    ) -> dict[str, Values]:
        """One value per person and figure, shape (b,), NaN where a person has none; the names end in "@10".

        `lists` and `hits`: shape (b, ≥ 10); `expected`: what popularity alone shows these people, (b, any); `now`: µs, (b,).
        "history_popularity" is of what people chose themselves, beside "popularity@10" of what they are shown.
        """
        first = lists[:, :LISTED]
        chosen = self._chosen(histories)
        there = (first >= 0) & self.contents.has_vector[first] if self.contents.catalogue.n else first >= 0
        vectors = self.contents.vectors.gather(np.where(there, first, 0)) if there.any() else np.zeros((*first.shape, 1))
        published_at = self.contents.catalogue.published_at
        of_history, of_list = category_shares(chosen, self.categories), category_shares(first, self.categories)
        return {
            "popularity@10": mean_over_list(first, LISTED, self.shares),
            "history_popularity": mean_over_list(chosen, max(chosen.shape[1], 1), self.shares),
            "novelty@10": mean_over_list(first, LISTED, self.bits),
            "diversity@10": intra_list_diversity(vectors, there),
            "serendipity@10": serendipity(hits, first, expected, LISTED),
            "age_days@10": mean_age_days(first, published_at, now, LISTED),
            "fresh@10": share_younger(first, published_at, now, FRESH_DAYS, LISTED),
            "miscalibration@10": miscalibration(of_history, of_list),
        }

    def overall(self, lists: Lists, spoken_for: npt.NDArray[np.integer], values: Mapping[str, Values]) -> dict[str, float]:
        """The figures that only everybody's lists together have; one without a value is left out.

        `spoken_for`: shape (q,), how many leading items of each list a source spoke for, before the fallback filled it.
        `values`: what `of_people` made of all of them.
        """
        own = np.where(np.arange(lists.shape[1])[None, :] < spoken_for[:, None], lists, np.int32(-1))
        figures = {
            "coverage@10": catalogue_coverage(lists, LISTED, max(self.showable, 1)),
            "user_coverage@10": user_coverage(own, LISTED),
            "gini@10": gini(lists, LISTED, max(self.showable, 1)),
            "popularity_lift@10": popularity_lift(values["popularity@10"], values["history_popularity"]),
        }
        return {name: figure for name, figure in figures.items() if not np.isnan(figure)}

    def _chosen(self, histories: Sequence[History]) -> Lists:
        """Rows of the different items that each history speaks for, shape (b, most of them), -1 where there are fewer."""
        numbers = [np.unique(history["item"][self.weights[history["type"]] > 0]) for history in histories]
        chosen = np.full((len(histories), max(map(len, numbers), default=0)), -1, dtype=np.int32)
        for line, items in enumerate(numbers):
            chosen[line, : len(items)] = self.contents.catalogue.rows_of(items)
        return chosen


def categories_of(catalogue: Catalogue) -> sp.csr_array:
    """Items by categories, shape (n, at least 1), each row summing to 1, or 0 without any."""
    column = catalogue.columns.by_name["categories"]
    assert isinstance(column, StringListColumn)
    counts = np.diff(column.offsets)
    weights = np.repeat(1 / np.maximum(counts, 1), counts)
    return sp.csr_array((weights, column.codes.copy(), column.offsets.copy()), shape=(catalogue.n, max(len(column.values), 1)))
