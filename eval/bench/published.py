"""What is known of sets by their names: published figures, where they stand, and what this project wants to reach."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from eval.bench.measures import Kind, Measure


@dataclass(frozen=True)
class Known:
    """`name`: what the command calls the set. `people`: whom it has in the publications, so that a set of the same name that is another
    shows; None where that is not known. `source`: published figures and where they stand, in words."""

    name: str
    measures: tuple[Measure, ...]
    source: str = ""
    people: int | None = None


_BARS = "by the BARS leaderboard, Recall@20/NDCG@20"
_S3REC = "full ranking, HR@10/NDCG@10"

KNOWN: Mapping[tuple[str, str], Known] = {
    ("lightgcn", "gowalla"): Known(
        "gowalla",
        (
            Measure("recall@20", 0.1920, 0.193, 0.1985),
            Measure("ndcg@20", 0.1617, 0.160, 0.1645),
            Measure("", None, 300, 75, Kind.SECONDS),
            Measure("", None, 4, 2, Kind.GIGABYTES),
        ),
        f"{_BARS}: ItemKNN .1570/.1214, EASE .1765/.1467, LightGCN .1820/.1547, GF-CF .1849/.1518, UltraGCN .1862/.1580, "
        "SimpleX .1872/.1557, BSPM-EM .1920/.1597; NESCL .1917/.1617",
        29_858,
    ),
    ("lightgcn", "yelp2018"): Known(
        "yelp2018",
        (Measure("recall@20", 0.0720), Measure("ndcg@20", 0.0593)),
        f"{_BARS}: LightGCN .0649/.0530, UltraGCN .0683/.0561, SimpleX .0701/.0575, BSPM-EM .0720/.0593",
        31_668,
    ),
    ("lightgcn", "amazonbook"): Known(
        "amazon-book",
        (Measure("recall@20", 0.0733), Measure("ndcg@20", 0.0609)),
        f"{_BARS}: LightGCN .0411/.0315, SimpleX .0583/.0468, UltraGCN .0681/.0556, BSPM-EM .0733/.0609",
        52_643,
    ),
    ("sequences", "beauty"): Known(
        "beauty",
        (Measure("hit_rate@10", 0.0928, 0.101, 0.108), Measure("ndcg@10", 0.0531, 0.063, 0.068)),
        f"{_S3REC}: S3-Rec .0647/.0327, eSASRec .0928/.0523, SASRec with sampled softmax .0921/.0531",
        22_363,
    ),
    ("sequences", "toysandgames"): Known(
        "toys",
        (Measure("hit_rate@10", 0.0970, 0.116, 0.124), Measure("ndcg@10", 0.0580, 0.072, 0.078)),
        f"{_S3REC}: S3-Rec .0700/.0376, eSASRec .0939/.0538, SASRec with sampled softmax .0970/.0580",
        19_412,
    ),
    ("sequences", "sportsandoutdoors"): Known(
        "sports",
        (Measure("hit_rate@10", 0.0385), Measure("ndcg@10", 0.0204)),
        f"{_S3REC}: S3-Rec .0385/.0204",
        35_598,
    ),
    ("citeulike, titles", "citeulikea"): Known(
        "citeulike-title",
        (Measure("recall@20", None, 0.395, 0.43), Measure("ndcg@20", None, 0.305, 0.34), Measure("recall@100", 0.636, 0.675, 0.71)),
        "DropoutNet, Recall@100 .636, with abstracts besides titles",
        5_551,
    ),
    ("citeulike, tags", "citeulikea"): Known(
        "citeulike-tags",
        (Measure("recall@20", None, 0.455, 0.49), Measure("ndcg@20", None, 0.365, 0.40), Measure("recall@100", None, 0.72, 0.75)),
        people=5_551,
    ),
    ("movielens, rolling", "mllatestsmall"): Known(
        "ml-latest-small", (Measure("ndcg@10"), Measure("ndcg@10", None, None, 0.15, Kind.LEAD, 0.01))
    ),
    ("movielens, cold", "mllatestsmall"): Known("ml-cold", (Measure("recall@20"), Measure("recall@20", None, 2, 3, Kind.TIMES))),
    ("mind", "mindsample"): Known(
        "mind",
        (
            Measure("auc", None, None, 0.65),
            Measure("auc", kind=Kind.OVER, p=0.05),
            Measure("mrr@100"),
            Measure("ndcg@5"),
            Measure("ndcg@10"),
        ),
    ),
    ("mind, dev", "mindsmall"): Known(
        "mind-small",
        (Measure("auc", 0.688), Measure("auc", kind=Kind.OVER), Measure("mrr@100"), Measure("ndcg@5"), Measure("ndcg@10")),
        "AUC on the official dev part of MIND-small: NRMS .656, NAML .661, DIGAT .688",
        94_057,
    ),
}
"""By format and name of folder or file, of which letters and digits alone count."""

USUAL: Mapping[str, tuple[Measure, ...]] = {
    "lightgcn": (Measure("recall@20"), Measure("ndcg@20")),
    "sequences": (Measure("hit_rate@10"), Measure("ndcg@10")),
    "citeulike, titles": (Measure("recall@20"), Measure("ndcg@20"), Measure("recall@100")),
    "citeulike, tags": (Measure("recall@20"), Measure("ndcg@20"), Measure("recall@100")),
    "movielens, rolling": (Measure("ndcg@10"), Measure("ndcg@10", kind=Kind.LEAD)),
    "movielens, cold": (Measure("recall@20"), Measure("recall@20", kind=Kind.TIMES)),
    "mind": (Measure("auc"), Measure("auc", kind=Kind.OVER), Measure("mrr@100"), Measure("ndcg@5"), Measure("ndcg@10")),
    "mind, dev": (Measure("auc"), Measure("auc", kind=Kind.OVER), Measure("mrr@100"), Measure("ndcg@5"), Measure("ndcg@10")),
}
"""What is measured on a set of which nothing is known, by format."""


def known(format: str, name: str) -> Known | None:
    """What is known of the set that a folder or file of this `name` holds: "Amazon-Book" and "amazon_book" are one."""
    return KNOWN.get((format, plain(name)))


def plain(name: str) -> str:
    """The letters and digits of a name, small."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
