"""Conditions on items, in a subset of CEL (Common Expression Language), evaluated a column at a time.

docs/filters.md describes the subset, its bounds, and what missing values mean.
"""

from __future__ import annotations

from recommender.conditions.condition import Condition, compile_condition
from recommender.conditions.scan import EXPRESSION_LIMIT, NESTING_LIMIT
from recommender.conditions.syntax import DEPTH_LIMIT, LIST_LIMIT, NODE_LIMIT, prepare_parser

__all__ = [
    "DEPTH_LIMIT",
    "EXPRESSION_LIMIT",
    "LIST_LIMIT",
    "NESTING_LIMIT",
    "NODE_LIMIT",
    "Condition",
    "compile_condition",
    "prepare_parser",
]
