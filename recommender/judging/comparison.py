"""All variants side by side on the same people, and how sure the differences are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from rich.table import Table

from recommender.engine import Recommender
from recommender.judging.cuts import HeldOut
from recommender.judging.intervals import Interval, paired_difference
from recommender.judging.metrics import Values
from recommender.judging.replay import BLEND, VARIANTS, Judgement, judge
from recommender.judging.significance import holm, randomisation_test
from recommender.placements import Placement

_LEADING_ZERO = re.compile(r"(?<!\d)0\.")
LEADING = "ndcg@10"
"""The metric by which variants are compared."""


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
        """Mean paired difference of the blend and `variant`, with its 95 % interval, over those who have a value in both."""
        ours, theirs, people = self._paired(variant, metric)
        return paired_difference(ours, theirs, np.random.default_rng(seed), people=people)

    def p_values(self, *, metric: str = LEADING, seed: int = 0) -> dict[str, float]:
        """How likely each variant's difference from the blend is by chance alone, by variant other than the blend.

        Two-sided p of the paired randomisation test, Holm-corrected for as many comparisons as there are variants here.
        """
        single = {}
        for name in self.judgements:
            if name != BLEND:
                ours, theirs, people = self._paired(name, metric)
                single[name] = randomisation_test(ours, theirs, np.random.default_rng(seed), people=people)
        return dict(zip(single, holm(list(single.values())).tolist(), strict=True))

    def _paired(self, variant: str, metric: str) -> tuple[Values, Values, npt.NDArray[np.uint32]]:
        ours, theirs = self.judgements[BLEND].values[metric], self.judgements[variant].values[metric]
        both = ~(np.isnan(ours) | np.isnan(theirs))
        return ours[both], theirs[both], self.held_out.people[both]


def compare(
    recommender: Recommender,
    held_out: HeldOut,
    placement: Placement,
    *,
    variants: Sequence[str] = tuple(VARIANTS),
    lists: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Judge `variants` of one engine on the same people; `lists` as `judge` has it. `progress(done, total)` counts feeds."""
    total = len(held_out) * len(variants)
    judgements = {}
    for place, variant in enumerate(variants):
        shown = partial(_shifted, progress, place * len(held_out), total)
        judgements[variant] = judge(recommender, held_out, placement, variant=variant, lists=lists, seed=seed, progress=shown)
    return Comparison(held_out, judgements)


def _shifted(progress: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    progress(before + done, total)


def comparison_table(comparison: Comparison, title: str) -> Table:
    """The comparison for a terminal of 80 columns: each variant's metrics, and the blend's lead over it; in brackets 95 % intervals.

    "lead" is the blend's NDCG@10 less the variant's, "p" how likely that is by chance alone (randomisation test, Holm-corrected for
    all variants), "items" counts the different items in anybody's first ten.
    """
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("variant", no_wrap=True)
    for heading in ("NDCG@10", "Recall@10", "blend's lead", "p", "items"):
        table.add_column(heading, justify="right", no_wrap=True)
    chances = comparison.p_values()
    for name, judgement in comparison.judgements.items():
        cells = [shown_interval(judgement.intervals[LEADING]), without_leading_zeros(f"{judgement.intervals['recall@10'].mean:.4f}")]
        lead = "" if name == BLEND else shown_interval(comparison.blend_over(name), signed=True)
        chance = "" if name == BLEND else shown_chance(chances[name])
        table.add_row(name, *cells, lead, chance, str(judgement.shown), style="bold" if name == BLEND else "")
    return table


def shown_interval(interval: Interval, *, signed: bool = False) -> str:
    """An interval as short text: .1234 [.110, .137]; the leading zeros of these shares of one are left out."""
    form = "{:+.4f} [{:+.3f}, {:+.3f}]" if signed else "{:.4f} [{:.3f}, {:.3f}]"
    return without_leading_zeros(form.format(interval.mean, interval.low, interval.high))


def without_leading_zeros(text: str) -> str:
    """`text` with .5 for 0.5, and 10.5 as it is."""
    return _LEADING_ZERO.sub(".", text)


def shown_chance(p: float) -> str:
    """A p as short text: .034; "<.001" below what three digits tell."""
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")
