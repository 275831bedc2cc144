"""The sets that quality is measured on: how each is read and cut, and what is published on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eval.datasets.citeulike import read_citeulike
from eval.datasets.dataset import Dataset
from eval.datasets.lightgcn import read_lightgcn
from eval.datasets.mind import read_mind
from eval.datasets.movielens_latest import read_movielens
from eval.datasets.sequences import read_sequences
from recommender.judging import cut_at_share
from recommender.judging.cold import cold_items, draw_cold_items
from recommender.judging.cuts import Split, given, leave_last_out, rolling
from recommender.profile import EventWeights

ROLLING_SHARES = (0.6, 0.7, 0.8, 0.9, 1.0)
"""Rolling windows end at these shares of the events in order of time."""
COLD_SHARE = 0.2
COLD_FEWEST = 5
"""Items that are made cold have so many people at least, so that there is something to find."""
COLD_SEED = 2_026


@dataclass(frozen=True)
class Measure:
    """One figure of a set. `metric`: as judgements name it. `published`: the best known, None for none. `must` and `aim`: what this
    project wants to reach, None where the figure stands beside another."""

    metric: str
    published: float | None
    must: float | None = None
    aim: float | None = None


@dataclass(frozen=True, eq=False)
class Benchmark:
    """One set with its protocol. `read`: from the folder of all sets. `splits`: what is learnt from and judged on, one or more; None
    where the set is judged impression by impression.

    `protocol` and `source` say in words what was done, and where the published figures come from. `by_genre`: ranking cold items by
    the popularity of their genres is a rival.
    """

    name: str
    folder: str
    read: Callable[[Path], Dataset]
    splits: Callable[[Dataset], list[Split]] | None
    measures: tuple[Measure, ...]
    protocol: str
    source: str = ""
    by_genre: bool = False


def _given(dataset: Dataset) -> list[Split]:
    assert dataset.test is not None
    return [given(dataset.events, dataset.test, candidates=dataset.candidates)]


def _last(dataset: Dataset) -> list[Split]:
    split = leave_last_out(dataset.events)
    # Times stand for places only, so that no query has a "now" of its own.
    return [replace(split, held_out=replace(split.held_out, moments=None))]


def _windows(dataset: Dataset) -> list[Split]:
    cuts = [cut_at_share(dataset.events, share) for share in ROLLING_SHARES[:-1]]
    return rolling(dataset.events, EventWeights(), cuts=[*cuts, int(dataset.events.at.max()) + 1], reveal=0.5)


def _made_cold(dataset: Dataset) -> list[Split]:
    rng = np.random.default_rng(COLD_SEED)
    return [cold_items(dataset.events, draw_cold_items(dataset.events, COLD_SHARE, rng, fewest=COLD_FEWEST))]


_CITEULIKE = "3,396 papers never seen in training, ranked among themselves for everybody who saved one of them"

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            "gowalla",
            "gowalla",
            read_lightgcn,
            _given,
            (Measure("recall@20", 0.1920, 0.193, 0.1985), Measure("ndcg@20", 0.1617, 0.160, 0.1645)),
            "LightGCN's split; every item ranked but those in training",
            "BSPM-EM (recall), NESCL (NDCG)",
        ),
        Benchmark(
            "beauty",
            "s3rec",
            lambda folder: read_sequences(folder, "Beauty"),
            _last,
            (Measure("hit_rate@10", 0.0928, 0.101, 0.108), Measure("ndcg@10", 0.0531, 0.063, 0.068)),
            "each person's last item left out; every item ranked but earlier ones",
            "eSASRec, SASRec with sampled softmax",
        ),
        Benchmark(
            "toys",
            "s3rec",
            lambda folder: read_sequences(folder, "Toys_and_Games"),
            _last,
            (Measure("hit_rate@10", 0.0970, 0.116, 0.124), Measure("ndcg@10", 0.0580, 0.072, 0.078)),
            "each person's last item left out; every item ranked but earlier ones",
            "SASRec with sampled softmax",
        ),
        Benchmark(
            "citeulike-title",
            "citeulike-a",
            lambda folder: read_citeulike(folder, tags=False),
            _given,
            (Measure("recall@20", None, 0.395, 0.43), Measure("ndcg@20", None, 0.305, 0.34), Measure("recall@100", 0.636, 0.675, 0.71)),
            f"{_CITEULIKE}; titles known",
            "DropoutNet, with abstracts",
        ),
        Benchmark(
            "citeulike-tags",
            "citeulike-a",
            lambda folder: read_citeulike(folder, tags=True),
            _given,
            (Measure("recall@20", None, 0.455, 0.49), Measure("ndcg@20", None, 0.365, 0.40), Measure("recall@100", None, 0.72, 0.75)),
            f"{_CITEULIKE}; titles and tags known",
        ),
        Benchmark(
            "ml-latest-small",
            "ml-latest-small",
            read_movielens,
            _windows,
            (Measure("ndcg@10", None),),
            "four windows of a tenth of the events each, judged after learning from all before; half of each person's events revealed",
        ),
        Benchmark(
            "ml-cold",
            "ml-latest-small",
            read_movielens,
            _made_cold,
            (Measure("recall@20", None),),
            "a fifth of the films never seen in training, ranked among themselves",
            by_genre=True,
        ),
        Benchmark(
            "mind",
            "mind-sample",
            read_mind,
            None,
            (Measure("auc", None, None, 0.65), Measure("mrr@100", None), Measure("ndcg@5", None), Measure("ndcg@10", None)),
            "the newest fifth of the impressions, each ranked with all counts as they were when it was shown",
        ),
    )
}
