"""Whether there is as much to serve and to learn from as there was: a broken import shows here first."""

from __future__ import annotations

import numpy as np

from recommender.generation import Contents, GateCheck, Manifest
from recommender.profile import Gate


def check_counts(contents: Contents, events: int, parent: Manifest | None, bounds: Gate) -> list[GateCheck]:
    """Whether something is live, and whether items and events are within bounds of the parent's; without one nothing bounds them."""
    n, live = contents.catalogue.n, int(np.count_nonzero(contents.catalogue.live))
    checks = [GateCheck(name="items", passed=live > 0, message=f"{n} items, {live} of them live; at least one must be")]
    if parent is not None:
        for name, ours, theirs in (("items", n, parent.items), ("events", events, parent.events)):
            checks += [_kept(name, ours, theirs, bounds), _grown(name, ours, theirs, bounds)]
    return checks


def _kept(name: str, ours: int, theirs: int, bounds: Gate) -> GateCheck:
    least = theirs * bounds.least_kept
    message = f"{ours}, the parent had {theirs}; at least {least:.0f} must be left"
    return GateCheck(name=f"{name}-kept", passed=ours >= least, message=message)


def _grown(name: str, ours: int, theirs: int, bounds: Gate) -> GateCheck:
    most = max(theirs * bounds.most_growth, bounds.growth_free)
    message = f"{ours}, the parent had {theirs}; at most {most:.0f} may be there"
    return GateCheck(name=f"{name}-grown", passed=ours <= most, message=message)
