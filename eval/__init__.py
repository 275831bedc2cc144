"""Judging: data sets, experiments and reports over the same engine that serves."""

from typing import TYPE_CHECKING

from recommender.lazy_names import lazy_names

if TYPE_CHECKING:
    from eval.evaluation import Evaluation, evaluate

__all__ = [
    "Evaluation",
    "evaluate",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Evaluation": "eval.evaluation",
        "evaluate": "eval.evaluation",
    },
)
