"""Estimates as tables for people and as figures for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from eval.off_policy.replications import Performance
from eval.off_policy.weight_diagnostics import HEAVY, WeightDiagnostics
from recommender.judging import Interval

NAMES = {
    "naive": "naive mean",
    "ips": "IPS",
    "snips": "SNIPS",
    "clipped": "clipped IPS",
    "dr": "DR",
}
"""What tables call an estimate."""


def estimates_table(title: str, estimates: Mapping[str, Interval], known: Mapping[str, Interval]) -> Table:
    """Estimates with their intervals, and below them what is `known` otherwise, by what to call it."""
    table = Table("estimate", "value", "95 % interval", title=title, title_justify="left")
    for name, interval in estimates.items():
        table.add_row(NAMES[name], _number(interval.mean), _ends(interval))
    for name, interval in known.items():
        table.add_row(name, _number(interval.mean), _ends(interval), style="bold")
    return table


def performance_table(title: str, found: Mapping[str, Performance]) -> Table:
    """Bias, error and width as shares of the true value, and how often the interval held it."""
    table = Table("estimate", "bias", "RMSE", "width", "coverage", title=title, title_justify="left")
    for name, one in found.items():
        coverage = f"{one.coverage.mean:.1%} [{one.coverage.low:.1%}, {one.coverage.high:.1%}]"
        table.add_row(NAMES[name], f"{one.bias:+.2%}", f"{one.rmse:.2%}", f"{one.width:.2%}", coverage)
    return table


def diagnostics_line(found: WeightDiagnostics) -> str:
    """The diagnostics as one sentence."""
    return (
        f"{found.rows:,} rows, worth {found.effective:,.0f} of equal weight ({found.effective_rewards:,.1f} of those with a reward); "
        f"largest weight {found.largest:.1f}, {found.heavy:.1%} above {HEAVY:g}; mean weight {found.mean:.3f} ± {found.mean_error:.3f}"
    )


def figures(record: Interval | Performance | WeightDiagnostics) -> dict[str, Any]:
    """The fields of `record` for JSON, which knows no NaN: null stands for what could not be given."""
    return {name: _figure(value) for name, value in vars(record).items()}


def _figure(value: Interval | float) -> Any:
    if isinstance(value, Interval):
        return figures(value)
    return None if math.isnan(value) else value


def _number(value: float) -> str:
    return f"{value:.4g}" if value else "0"


def _ends(interval: Interval) -> str:
    return "–" if math.isnan(interval.low) else f"[{_number(interval.low)}, {_number(interval.high)}]"
