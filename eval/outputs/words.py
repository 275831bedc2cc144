"""Names as they are read, where the figures have them as they are written in settings."""

from __future__ import annotations


def in_words(name: str) -> str:
    """The name of a variant, source or feature as it is read: "item–item" for "item_item"."""
    for written, read in (("item_item", "item–item"), ("co_occurrence", "co-occurrence"), ("_", " "), (".", ", ")):
        name = name.replace(written, read)
    return name


def metric_in_words(metric: str) -> str:
    """The name of a metric as it is read: "NDCG@10" for "ndcg@10"."""
    name, at, k = metric.partition("@")
    words = {"ndcg": "NDCG", "mrr": "MRR", "map": "MAP", "auc": "AUC"}.get(name, in_words(name).capitalize())
    return words + at + k
