"""Two finished runs side by side as plain data, and as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from rich.table import Table

from eval.finished import Finished
from eval.outputs.figures import Figures, break_down_figures
from eval.outputs.tables import break_down_table, comparison_rows


def finished_figures(finished: Finished) -> Figures:
    """Everything as JSON has it; it names nobody."""
    return {
        "this": finished.ours,
        "that": finished.theirs,
        "variant": finished.variant,
        "people": finished.people,
        "queries": finished.queries,
        "of_this": finished.of_ours,
        "of_that": finished.of_theirs,
        "metrics": {
            row.metric: {
                "queries": row.queries,
                "ours": asdict(row.ours),
                "theirs": asdict(row.theirs),
                "difference": {**asdict(row.difference), "p": row.p},
                "p": row.p,
            }
            for row in finished.rows
        },
        "break_downs": [break_down_figures(broken) for broken in finished.break_downs],
    }


def finished_tables(figures: Figures) -> Iterator[tuple[str, Table]]:
    """The metrics of both runs and their break-downs, each with its title."""
    shared = f"{figures['queries']:,} shared queries of {figures['people']:,} people"
    yield f"{figures['variant']}: {figures['this']} beside {figures['that']}, {shared}", comparison_rows(figures)
    for broken in figures["break_downs"]:
        yield f"By {broken['by']}: {broken['metric']}", break_down_table(broken)
