"""All variants side by side on the same people, and how sure the differences are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from rich.table import Table

from recommender.engine import Recommender
from recommender.judging.cuts import HeldOut
from recommender.judging.intervals import Interval, paired_difference
from recommender.judging.replay import VARIANTS, Judgement, judge
from recommender.placements import Placement

LEADING = "ndcg@10"
"""The metric by which variants are compared."""

BLEND = "blend"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Judgements by variant over the same people; `held_out` is who they were."""

    held_out: HeldOut
    judgements: Mapping[str, Judgement]

    @property
    def best_part(self) -> str:
        """The variant, other than the blend, with the highest mean of the leading metric."""
        return max((name for name in self.judgements if name != BLEND), key=lambda name: self.judgements[name].intervals[LEADING].mean)

    def blend_over(self, variant: str, *, metric: str = LEADING, seed: int = 0) -> Interval:
        """Mean paired difference of the blend and `variant`, with its 95 % interval."""
        ours, theirs = self.judgements[BLEND].values[metric], self.judgements[variant].values[metric]
        return paired_difference(ours, theirs, np.random.default_rng(seed))


def compare(
    recommender: Recommender,
    held_out: HeldOut,
    placement: Placement,
    *,
    variants: Sequence[str] = tuple(VARIANTS),
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Judge `variants` of one engine on the same people. `progress(done, total)` counts feeds."""
    total = len(held_out) * len(variants)
    judgements = {}
    for place, variant in enumerate(variants):
        shown = partial(_shifted, progress, place * len(held_out), total)
        judgements[variant] = judge(recommender, held_out, placement, variant=variant, seed=seed, progress=shown)
    return Comparison(held_out, judgements)


def _shifted(progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    progress(before + done, total)


def comparison_table(comparison: Comparison, title: str) -> Table:
    """The comparison for a terminal of 80 columns: each variant's metrics, and the blend's lead over it, with 95 % intervals.

    "lead" is the blend's mean less the variant's, "items" counts the different items in anybody's first ten.
    """
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("variant", no_wrap=True)
    for heading in ("NDCG@10", "Recall@10", "blend's lead, NDCG@10", "items"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, judgement in comparison.judgements.items():
        cells = [shown_interval(judgement.intervals[metric]) for metric in ("ndcg@10", "recall@10")]
        lead = "" if name == BLEND else shown_interval(comparison.blend_over(name), signed=True)
        table.add_row(name, *cells, lead, str(judgement.shown), style="bold" if name == BLEND else "")
    return table


def shown_interval(interval: Interval, *, signed: bool = False) -> str:
    """An interval as short text: .1234 [.110, .137]; the leading zeros of these shares of one are left out."""
    form = "{:+.4f} [{:+.3f}, {:+.3f}]" if signed else "{:.4f} [{:.3f}, {:.3f}]"
    return form.format(interval.mean, interval.low, interval.high).replace("0.", ".")
