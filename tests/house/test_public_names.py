"""The public API: the names that each package's root and the client hand out. Adding one is a decision; removing one breaks users."""

from __future__ import annotations

import importlib

import pytest

PUBLIC: dict[str, list[str]] = {
    "recommender": [
        "Basis",
        "BuildSettings",
        "Consent",
        "Event",
        "EventType",
        "Feed",
        "Generation",
        "Generations",
        "Item",
        "ItemKind",
        "ItemState",
        "Placement",
        "Placements",
        "Query",
        "Reason",
        "Recommender",
        "RecommenderError",
        "Settings",
        "SourceName",
        "Store",
        "Subject",
        "SubjectKind",
        "load_build_settings",
        "load_placements",
        "load_settings",
        "open_store",
    ],
    "indexing": [
        "Outcome",
        "import_events",
        "import_items",
        "reindex",
    ],
    "server": [
        "Addresses",
        "Server",
    ],
    "eval": [
        "Evaluation",
        "evaluate",
    ],
    "recommender.judging": [
        "VARIANTS",
        "HeldOut",
        "Interval",
        "Judgement",
        "auc",
        "average_precision",
        "bootstrap_mean",
        "bootstrap_means",
        "cut_at_share",
        "hit_rate",
        "hold_out",
        "holm",
        "judge",
        "ndcg",
        "paired_difference",
        "precision",
        "r_precision",
        "randomisation_test",
        "recall",
        "reciprocal_rank",
    ],
    "recommender.client": [
        "Client",
        "ClientError",
        "Contribution",
        "DeadlinePassed",
        "Feed",
        "FeedItem",
        "History",
        "HistoryEntry",
        "HistoryList",
        "InvalidArgument",
        "Missing",
        "Overloaded",
        "Refused",
        "Slate",
        "Unavailable",
    ],
}


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_names_of_a_package_are_those_listed_here(package: str) -> None:
    root = importlib.import_module(package)
    assert sorted(getattr(root, "__all__", [])) == sorted(PUBLIC[package])


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_is_there_and_documented(package: str) -> None:
    root = importlib.import_module(package)
    assert root.__doc__
    for name in PUBLIC[package]:
        value = getattr(root, name)
        if callable(value):
            assert value.__doc__, f"{package}.{name} has no docstring"
