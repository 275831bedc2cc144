"""What changed since a generation was built, laid over it: new items get rows behind its own, and changed ones are known by theirs."""

from recommender.overlay.catalogue import OverlaidCatalogue
from recommender.overlay.facts import OverlaidFacts
from recommender.overlay.overlay import Overlay
from recommender.overlay.pools import OverlaidPools

__all__ = ["OverlaidCatalogue", "OverlaidFacts", "OverlaidPools", "Overlay"]
