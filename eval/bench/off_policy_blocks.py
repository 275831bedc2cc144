"""Off-policy estimates as tables of words, and as rows among those of the sets."""

from __future__ import annotations

import math
from collections.abc import Iterator

from eval.bench.bandits import COVERAGE, UNBIASED, Simulated
from eval.bench.blocks import Block, Row
from eval.bench.report import Report
from eval.off_policy.open_bandit import Direction
from eval.off_policy.shown import NAMES
from recommender.judging import Interval


def off_policy_rows(report: Report) -> Iterator[Row]:
    """A row for each simulated world and each direction of a log, under the set's name and the headings of `MEASURES`."""
    low, high = COVERAGE
    for found in report.simulated:
        covered = ", ".join(f"{NAMES[name]} {found.performance[name].coverage.mean:.1%}" for name in UNBIASED)
        must, aim = f"{low:.0%} to {high:.0%}, naive mean biased", "DR narrower than IPS"
        reached = found.covers and found.naive_is_biased
        verdict = "MISSED" if not reached else "aim reached" if found.is_narrower else "reached"
        what = f"coverage of 95 % intervals, {found.logs:,} simulated logs, click rate {found.rate:.1%}"
        yield "off-policy", what, f"{covered}; naive mean {found.performance['naive'].bias:+.0%}", "–", must, aim, verdict
    for name, directions in (report.directions or {}).items():
        for one in directions:
            estimate = rate_in_words(one.estimates["dr"])
            what = f"click rate of {one.judged} from the log of {one.logged}, DR"
            told = f"{estimate}, effective sample size {one.diagnostics.effective:,.0f}; on-policy {rate_in_words(one.on_policy)}"
            yield name, what, told, "–", "reported", "–", "reported"


def direction(name: str, found: Direction) -> Block:
    """One policy's click rate from the other one's log, beside its own."""
    rows = [(NAMES[key], rate_in_words(interval)) for key, interval in found.estimates.items()]
    rows.append((f"on-policy, {found.judged}'s own log", rate_in_words(found.on_policy)))
    sizes = found.diagnostics
    below = (
        f"{sizes.rows:,} rows of the log, of an effective sample size of {sizes.effective:,.0f}, and of "
        f"{sizes.effective_rewards:,.1f} in clicks."
    )
    return Block(f"{name}: click rate of {found.judged} from the log of {found.logged}", ("estimate", "value"), tuple(rows), below)


def simulation(found: Simulated) -> Block:
    """What became of estimates on logs of known truth."""
    rows = []
    for name, one in found.performance.items():
        coverage = f"{one.coverage.mean:.1%} [{one.coverage.low:.1%}, {one.coverage.high:.1%}]"
        rows.append((NAMES[name], f"{one.bias:+.1%}", f"{one.rmse:.1%}", f"{one.width:.1%}", coverage))
    low, high = COVERAGE
    below = (
        f"Coverage of IPS, SNIPS and DR within {low:.0%} to {high:.0%}: {'reached' if found.covers else 'MISSED'}; the naive mean shown "
        f"biased: {'reached' if found.naive_is_biased else 'MISSED'}; DR narrower than IPS: "
        f"{'aim reached' if found.is_narrower else 'below the aim'}."
    )
    title = f"off-policy: {found.logs:,} simulated logs of {found.rows:,} decisions, logging policy's click rate {found.rate:.1%}"
    return Block(title, ("estimate", "bias", "RMSE", "width", "coverage of 95 % intervals"), tuple(rows), below)


def rate_in_words(interval: Interval) -> str:
    """A click rate with its interval."""
    # The interval of a log too small to tell has no ends.
    ends = "–" if math.isnan(interval.low) else f"[{interval.low:.3%}, {interval.high:.3%}]"
    return f"{interval.mean:.3%} {ends}"
