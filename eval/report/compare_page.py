"""The page of two finished runs side by side, by the same looks as the report of one."""

from __future__ import annotations

from eval.outputs.figures import Figures
from eval.report import plots
from eval.report.templates import environment

TEMPLATE = "compare.html.j2"


def compare_page(figures: Figures) -> str:
    """What `eval.outputs.finished_figures` made, as one HTML text that needs nothing beside it; names of files are escaped."""
    drawings = {
        broken["by"]: plots.groups(broken, f"groups-{place}")
        for place, broken in enumerate(figures["break_downs"])
        if any(group["means"] for group in broken["groups"])
    }
    return environment().get_template(TEMPLATE).render(figures=figures, drawings=drawings)
