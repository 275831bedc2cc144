"""The templates of pages, with all that they turn figures into text by."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eval.outputs.tables import shown
from eval.outputs.words import in_words, metric_in_words
from recommender.judging.comparison import shown_chance


def environment() -> Environment:
    """Templates of this folder, which escape whatever they are given unless they say otherwise."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"interval": shown, "chance": shown_chance, "words": in_words, "metric": metric_in_words}
    return made
