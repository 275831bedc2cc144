"""Every figure of every variant under the name and in the unit in which it is read: what is ranked right, and what lists are like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.outputs.figures import Figures
from recommender.judging import Interval
from recommender.judging.comparison import shown_interval, without_leading_zeros
from recommender.judging.replay import BLEND

POPULARITY = "popularity"


@dataclass(frozen=True)
class Column:
    """One figure: `metric` as judgements name it, `heading` of at most 16 letters, what it `means`, by how much it is multiplied to be
    `times` its value, and whether everybody's lists have it only `together`, so that there is no interval."""

    metric: str
    heading: str
    means: str
    times: float = 1.0
    together: bool = False


RANKED = (
    Column("ndcg@5", "NDCG@5", ""),
    Column("ndcg@10", "NDCG@10", "hits by their places, the first ones worth most, next to the best possible order"),
    Column("ndcg@20", "NDCG@20", ""),
    Column("recall@10", "Recall@10", "the share of what was taken up that stands in the list"),
    Column("recall@20", "Recall@20", ""),
    Column("recall@50", "Recall@50", ""),
    Column("recall@100", "Recall@100", ""),
    Column("hit_rate@10", "Hit rate@10", "the share of people with any hit"),
    Column("precision@10", "Precision@10", "the share of ten places that are hits"),
    Column("map@10", "MAP@10", "the mean precision at the places of the hits"),
    Column("mrr@10", "MRR@10", "1 over the place of the first hit"),
    Column("mrr@100", "MRR@100", ""),
    Column("r_precision", "R-precision", "the share of hits in as many places as the person took up items"),
    Column("auc", "AUC", "the share of pairs of a taken and a passed-over item that stand in the right order"),
)
"""How well the right items are ranked."""
LISTS = (
    Column("coverage@10", "Catalogue shown", "the share of items that may be shown which stand in anybody’s first ten", together=True),
    Column(
        "user_coverage@10",
        "People covered",
        "the share of people for whom sources found ten items, before anything was filled up",
        together=True,
    ),
    Column("gini@10", "Gini", "how unevenly items are shown, from 0, all alike, to 1, one alone", together=True),
    Column("popularity@10", "Popularity, ‰", "the mean share that a shown item has of all events learnt from", times=1_000),
    Column("history_popularity", "Chosen items, ‰", "the same of what people had chosen themselves", times=1_000),
    Column(
        "popularity_lift@10", "Popularity lift", "how much more popular what is shown is than what was chosen; 0 is no bias", together=True
    ),
    Column("novelty@10", "Novelty, bits", "how surprising it is that anybody took up a shown item"),
    Column("diversity@10", "Diversity", "how unlike each other the items of a list are in meaning"),
    Column("serendipity@10", "Serendipity", "the share of ten places that are hits and not among the ten most popular"),
    Column("age_days@10", "Age, days", "the mean age of dated items"),
    Column("fresh@10", "Under 7 days old", "the share of ten places"),
    Column("miscalibration@10", "Miscalibration", "how far categories are from their shares in the history, in nats; 0 is the same shares"),
)
"""What lists are like besides right."""


def columns_of(figures: Figures, columns: Sequence[Column]) -> list[Column]:
    """Those of `columns` that any variant has a figure for."""
    return [column for column in columns if any(column.metric in of for of in figures[_kind(column)].values())]


def cell_of(figures: Figures, variant: str, column: Column) -> str:
    """The figure as short text, with its interval where it has one; "–" where the variant has none."""
    found = figures[_kind(column)][variant].get(column.metric)
    if found is None:
        return "–"
    if column.together:
        return without_leading_zeros(f"{found:.4f}")
    return shown_amount(found, column.times)


def shown_amount(interval: Mapping[str, float], times: float = 1.0) -> str:
    """An interval whose ends, `times` what they are, need not be shares of one: with as many digits as their size leaves room for."""
    mean, low, high = (times * interval[end] for end in ("mean", "low", "high"))
    largest = max(abs(mean), abs(low), abs(high))
    if largest < 1:
        return shown_interval(Interval(mean, low, high))
    digits = 2 if largest < 100 else 1 if largest < 1_000 else 0
    return without_leading_zeros(f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")


def leading_variants(figures: Figures) -> list[str]:
    """Popularity, the best single source and the blend, each once."""
    return list(dict.fromkeys(name for name in (POPULARITY, figures["best_part"], BLEND) if name in figures["variants"]))


def _kind(column: Column) -> str:
    return "overall" if column.together else "variants"
