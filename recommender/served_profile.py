"""The served profile as one word: what is learnt and how it is served, since both decide what a figure or a time is of."""

from __future__ import annotations

import hashlib

from recommender.placements import Placement
from recommender.profile import BuildSettings


def served_profile(settings: BuildSettings, placement: Placement) -> str:
    """Twelve hex digits that change when a build setting or a setting of the placement does, its candidates and ranker depth among them."""
    return hashlib.sha256(f"{settings.hash} {placement.version}".encode()).hexdigest()[:12]
