"""Learning a blend for contents, on cuts inside what they were learnt from, as a build does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from eval.tuning.refitting import Learning
from indexing.blending.blending import blend_of_cuts, gather_drawn
from indexing.blending.fading import Fit, chosen_decays
from indexing.fitting import inner_cuts
from indexing.learn.sequence import settings_of_parts
from recommender.engine import Recommender
from recommender.events import Consent
from recommender.generation import Contents
from recommender.judging import HeldOut
from recommender.order import order_of
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
    """Inner fits with `settings`, one for each cut inside `learning`, and the people that a blend is learnt on; `of_parts`: the settings
    as such fits take them."""

    inner: tuple[_Inner, ...]
    learning: Learning
    settings: BuildSettings
    of_parts: BuildSettings
    placement: Placement

    @classmethod
    def of(
        cls, learning: Learning, settings: BuildSettings, placement: Placement, *, check: Callable[[], None] = _nothing
    ) -> Blender | None:
        """For contents learnt from the same `learning`; None with too little to hold any out. `check` is called before each fit."""
        inner, of_parts = [], settings_of_parts(learning.events, learning.catalogue, settings)
        for cut in inner_cuts(learning.catalogue, learning.events, settings, new_items=bool(learning.has_vector.any())):
            check()
            within = replace(learning, events=cut.training)
            inner.append(_Inner(within, within.contents(of_parts), cut.parts))
        return cls(tuple(inner), learning, settings, of_parts, placement) if inner else None

    def brought(self, settings: BuildSettings, *, check: Callable[[], None] = _nothing) -> Blender:
        """The same cuts with other settings, of which those of the cuts themselves (`share`, `reveals`, the events') are the same."""
        inner, of_parts = [], settings_of_parts(self.learning.events, self.learning.catalogue, settings)
        for one in self.inner:
            check()
            inner.append(replace(one, contents=one.learning.brought(one.contents, self.of_parts, of_parts)))
        return replace(self, inner=tuple(inner), settings=settings, of_parts=of_parts)

    @cached_property
    def fits(self) -> list[Fit]:
        """The engine of each cut, and who is held out from it."""
        return [Fit(Recommender.unpublished(one.contents, self.of_parts), one.parts) for one in self.inner]

    @cached_property
    def decays(self) -> npt.NDArray[np.float32]:
        """How histories fade in a blend of these fits, as a build chooses it."""
        order = order_of(self.learning.events.consenting(Consent.TRAIN))
        return chosen_decays(self.fits, order, self.placement, self.settings)

    def blend(self, settings: BuildSettings) -> Blend | None:
        """The blend that these sources learn with the blending of `settings`; None with too few people to tell."""
        blending, seed, decays = settings.blending, settings.seed, self.decays
        samples = [gather_drawn(fit.engine, fit.parts, self.placement, blending, seed=seed, decays=decays) for fit in self.fits]
        learnt = blend_of_cuts(samples, blending, seed=seed, decays=decays)
        return learnt.blend if learnt else None
