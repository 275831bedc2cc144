"""The page: figures in, one self-contained HTML text out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eval.outputs.figures import Figures, at_k
from eval.outputs.tables import shown, title_of
from eval.outputs.words import in_words, metric_in_words
from eval.report import plots
from eval.report.drawing import Drawing
from recommender.judging.comparison import shown_chance

TEMPLATE = "page.html.j2"
LENGTHS = (1, 3, 5, 10, 20, 50, 100)
"""Lengths of list that stand in the table beside the curves."""


def page(figures: Figures) -> str:
    """The report of `figures` as HTML.

    All that it needs is in it: no script, no font, no address. Titles, segments and names of files are other people's words and are
    escaped by the template; drawings are made here and by matplotlib, which escapes what they are labelled with.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"interval": shown, "chance": shown_chance, "words": in_words, "metric": metric_in_words}
    return environment.get_template(TEMPLATE).render(
        figures=figures,
        title=title_of(figures),
        drawings=drawings(figures),
        lengths=LENGTHS,
        at_k=at_k(figures, LENGTHS),
        buckets=plots.lengths_in_words(figures["blend"]["history_from"]),
    )


def drawings(figures: Figures, *, png: bool = False) -> Mapping[str, Drawing]:
    """Every drawing that the figures have something for, by name; break-downs are named by what they are by."""
    made = {
        "by_length": plots.by_length(figures, png=png),
        "scatter": plots.scatter(figures, png=png),
        "weights": plots.weights(figures["blend"], png=png),
    }
    for place, broken in enumerate(figures["break_downs"]):
        if not any(group["means"] for group in broken["groups"]):
            continue
        made[broken["by"]] = plots.groups(broken, f"groups-{place}", png=png)
    if sum(bool(group["means"]) for group in figures["cold_start"]["groups"]) > 1:
        made["cold_start"] = plots.cold_start(figures["cold_start"], png=png)
    optional: dict[str, Any] = {"ablation": plots.ablation, "learning_curve": plots.learning}
    made |= {name: draw(figures[name], png=png) for name, draw in optional.items() if name in figures}
    if figures["blend"]["importance"]:
        made["importance"] = plots.importance(figures["blend"]["importance"], png=png)
    return made
