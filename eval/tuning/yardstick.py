"""How settings stand next to others: NDCG@10 through the serving engine on the same people, cut by cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eval.tuning.folds import Cut
from recommender.engine import Recommender
from recommender.judging import judge
from recommender.judging.comparison import LEADING
from recommender.judging.metrics import Values
from recommender.placements import Placement

LEAST = 1e-4
"""Changes are relative to the figure that stood before, or to this where it was smaller."""

Check = Callable[[], None]


def worst_change(ours: Sequence[Values], theirs: Sequence[Values]) -> float:
    """The least, over the cuts, of (mean of ours − mean of theirs) / mean of theirs; values by cut, over the same people."""
    means = [(float(our.mean()), float(their.mean())) for our, their in zip(ours, theirs, strict=True)]
    return min((our - their) / max(their, LEAST) for our, their in means)


def judged(engine: Recommender, cuts: Sequence[Cut], half: int, placement: Placement, variant: str, check: Check) -> list[Values]:
    """NDCG@10 of one half of the people of each cut, by cut; `check` is called before each."""
    values = []
    for cut in cuts:
        check()
        values.append(judge(engine, cut.halves[half], placement, variant=variant).values[LEADING])
    return values


@dataclass(frozen=True, eq=False)
class Yardstick:
    """The figures of a reference, by half and cut, beside which others are measured."""

    cuts: tuple[Cut, ...]
    placement: Placement
    variant: str
    reference: tuple[list[Values], list[Values]]

    @classmethod
    def of(cls, engine: Recommender, cuts: tuple[Cut, ...], placement: Placement, variant: str, check: Check) -> Yardstick:
        """With `engine` as the reference. Raises what `check` raises."""
        first, second = (judged(engine, cuts, half, placement, variant, check) for half in (0, 1))
        return cls(cuts, placement, variant, (first, second))

    def changes(self, engine: Recommender, check: Check) -> Iterator[float]:
        """The worst change against the reference, first by half of the people, then by all of them."""
        seen: list[list[Values]] = []
        for half in (0, 1):
            seen.append(judged(engine, self.cuts, half, self.placement, self.variant, check))
            yield worst_change(_by_cut(seen), _by_cut(self.reference[: half + 1]))


def _by_cut(halves: Sequence[Sequence[Values]]) -> list[Values]:
    return [np.concatenate(parts) for parts in zip(*halves, strict=True)]
