"""Learning a blend for contents, on cuts inside what they were learnt from, as a build does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from eval.tuning.refitting import Learning
from indexing.blending.blending import blend_of_cuts, gather_drawn
from indexing.fitting import inner_cuts
from recommender.engine import Recommender
from recommender.generation import Contents
from recommender.judging import HeldOut
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.ranking import Blend


def _nothing() -> None:
    """A check that always lets through."""


@dataclass(frozen=True, eq=False)
class _Inner:
    """One cut: what is learnt from and comes of it, and the people held out."""

    learning: Learning
    contents: Contents
    parts: list[HeldOut]


@dataclass(frozen=True, eq=False)
class Blender:
    """Inner fits with `settings`, one for each cut, and the people that a blend is learnt on."""

    inner: tuple[_Inner, ...]
    settings: BuildSettings
    placement: Placement

    @classmethod
    def of(
        cls, learning: Learning, settings: BuildSettings, placement: Placement, *, check: Callable[[], None] = _nothing
    ) -> Blender | None:
        """For contents learnt from the same `learning`; None with too little to hold any out. `check` is called before each fit."""
        inner = []
        for cut in inner_cuts(learning.catalogue, learning.events, settings, new_items=bool(learning.has_vector.any())):
            check()
            within = replace(learning, events=cut.training)
            inner.append(_Inner(within, within.contents(settings), cut.parts))
        return cls(tuple(inner), settings, placement) if inner else None

    def brought(self, settings: BuildSettings, *, check: Callable[[], None] = _nothing) -> Blender:
        """The same cuts with other settings, of which those of the cuts themselves (`share`, `reveal`, the events') are the same."""
        inner = []
        for one in self.inner:
            check()
            inner.append(replace(one, contents=one.learning.brought(one.contents, self.settings, settings)))
        return replace(self, inner=tuple(inner), settings=settings)

    def blend(self, settings: BuildSettings) -> Blend | None:
        """The blend that these sources learn with the blending of `settings`; None with too few people to tell."""
        samples = []
        for one in self.inner:
            engine = Recommender.unpublished(one.contents, self.settings)
            samples.append(gather_drawn(engine, one.parts, self.placement, settings.blending, seed=settings.seed))
        learnt = blend_of_cuts(samples, settings.blending, seed=settings.seed)
        return learnt.blend if learnt else None
