"""The page: figures in, one self-contained HTML text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.outputs.every_figure import LISTS, RANKED, cell_of, columns_of
from eval.outputs.figures import Figures, at_k
from eval.outputs.tables import title_of
from eval.report import plots
from eval.report.drawing import Drawing
from eval.report.templates import environment

TEMPLATE = "page.html.j2"
LENGTHS = (1, 3, 5, 10, 20, 50, 100)
"""Lengths of list that stand in the table beside the curves."""


def page(figures: Figures) -> str:
    """The report of `figures` as HTML.

    All that it needs is in it: no script, no font, no address. Titles, segments and names of files are other people's words and are
    escaped by the template; drawings are made here and by matplotlib, which escapes what they are labelled with.
    """
    return (
        environment()
        .get_template(TEMPLATE)
        .render(
            figures=figures,
            title=title_of(figures),
            drawings=drawings(figures),
            every_figure=[
                (heading, found)
                for heading, columns in (("What is ranked right", RANKED), ("What lists are like", LISTS))
                if (found := columns_of(figures, columns))
            ],
            cell_of=cell_of,
            lengths=LENGTHS,
            at_k=at_k(figures, LENGTHS),
            buckets=plots.lengths_in_words(figures["blend"]["history_from"]),
        )
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
    if sum(bool(group["means"]) for group in figures["length_curve"]["groups"]) > 1:
        made["length_curve"] = plots.by_known(figures["length_curve"], "length-curve", png=png)
    if "cold_start" in figures:
        made["cold_start"] = plots.by_known(figures["cold_start"], "cold-start", png=png)
    optional: dict[str, Any] = {"ablation": plots.ablation, "learning_curve": plots.learning, "reliability": plots.reliability}
    made |= {name: draw(figures[name], png=png) for name, draw in optional.items() if name in figures}
    if figures["blend"]["importance"]:
        made["importance"] = plots.importance(figures["blend"]["importance"], png=png)
    return made
