"""Off-policy estimates beside the benchmarks: Open Bandit's policies each from the other one's log, and worlds of known truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.datasets.open_bandit import read_open_bandit
from eval.off_policy.open_bandit import Direction, estimate_open_bandit
from eval.off_policy.replications import Performance, replications
from eval.off_policy.simulation import make_world

CLICK_RATES = (0.004, 0.2)
"""Of the logging policies of the worlds that logs are drawn from."""
SIMULATION = "off-policy"
"""What the command calls the simulated logs."""
COVERAGE = (0.93, 0.97)
"""Between these lies the share of 95 % intervals that hold the truth."""
UNBIASED = ("ips", "snips", "dr")
"""Estimates whose intervals are to hold it; clipping is a bias on purpose."""


@dataclass(frozen=True)
class Bandit:
    """The two logs of one campaign in a folder."""

    name: str
    folder: Path
    campaign: str

    def directions(self) -> tuple[Direction, Direction]:
        """Both policies' click rates, each from the other one's log. Raises `InvalidInput` by file and line."""
        logs = read_open_bandit(self.folder, self.campaign)
        return estimate_open_bandit(logs.random, logs.bts)


def bandits(folder: Path) -> list[Bandit]:
    """The campaigns of Open Bandit Data in `folder`, by name of the folder, and of the campaign where it is not "all"."""
    if not (folder / "item_context.csv").is_file():
        return []
    campaigns = [path.stem.removeprefix("random_") for path in sorted(folder.glob("random_*.csv"))]
    name = folder.resolve().name
    return [
        Bandit(name if campaign == "all" else f"{name}-{campaign}", folder, campaign)
        for campaign in campaigns
        if (folder / f"bts_{campaign}.csv").is_file()
    ]


@dataclass(frozen=True)
class Simulated:
    """What became of estimates on logs of one world. `rate`: click rate of the logging policy. `logs` drawn, each of `rows` decisions."""

    rate: float
    logs: int
    rows: int
    performance: Mapping[str, Performance]

    @property
    def covers(self) -> bool:
        """Whether the intervals of all unbiased estimates hold the truth as often as they say."""
        low, high = COVERAGE
        return all(low <= self.performance[name].coverage.mean <= high for name in UNBIASED)

    @property
    def naive_is_biased(self) -> bool:
        """Whether the naive mean's bias is more than three standard errors from 0."""
        naive = self.performance["naive"]
        spread = np.sqrt(max(naive.rmse**2 - naive.bias**2, 0) / self.logs)
        return bool(abs(naive.bias) > 3 * spread)

    @property
    def is_narrower(self) -> bool:
        """Whether the doubly robust intervals are narrower than those of IPS."""
        return self.performance["dr"].width < self.performance["ips"].width


def simulate(logs: int, *, rows: int = 10_000, progress: Callable[[int, int], None] | None = None) -> list[Simulated]:
    """Estimates on `logs` ≥ 1 logs of each world of `CLICK_RATES`; `progress(done, logs)` counts those of one world."""
    return [
        Simulated(rate, logs, rows, replications(make_world(rate, np.random.default_rng(0)), n=logs, rows=rows, progress=progress))
        for rate in CLICK_RATES
    ]
