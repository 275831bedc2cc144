"""Learning a blend for contents, on a cut inside what they were learnt from, as a build does."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eval.tuning.refitting import Learning
from indexing.blending.blending import learn_blend
from indexing.fitting import inner_cut
from recommender.engine import Recommender
from recommender.generation import Contents
from recommender.judging import HeldOut
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.ranking import Blend


@dataclass(frozen=True, eq=False)
class Blender:
    """An inner fit with `settings`, and the people that a blend is learnt on."""

    learning: Learning
    contents: Contents
    settings: BuildSettings
    parts: list[HeldOut]
    placement: Placement

    @classmethod
    def of(cls, learning: Learning, settings: BuildSettings, placement: Placement) -> Blender | None:
        """For contents learnt from the same `learning`; None where there is too little to hold any out."""
        inner = inner_cut(learning.catalogue, learning.events, settings, new_items=bool(learning.has_vector.any()))
        if inner is None:
            return None
        within = replace(learning, events=inner.training)
        return cls(within, within.contents(settings), settings, inner.parts, placement)

    def brought(self, settings: BuildSettings) -> Blender:
        """The same cut with other settings, of which those of the cut itself (`share`, `reveal`, the events') are the same."""
        return replace(self, contents=self.learning.brought(self.contents, self.settings, settings), settings=settings)

    def blend(self, settings: BuildSettings) -> Blend | None:
        """The blend that these sources learn with the blending of `settings`; None with too few people to tell."""
        engine = Recommender.unpublished(self.contents, self.settings)
        learnt = learn_blend(engine, self.parts, self.placement, settings.blending, seed=settings.seed)
        return learnt.blend if learnt else None
