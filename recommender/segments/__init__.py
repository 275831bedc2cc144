"""Delta segments: what changed in the catalogue since a generation was built, in small immutable files, and the search over both."""

from recommender.segments.delta import Delta, merged
from recommender.segments.folder import Loaded, Segments
from recommender.segments.loans import Loans
from recommender.segments.search import SegmentedIndex
from recommender.segments.segment import Base, Segment, SegmentManifest

__all__ = ["Base", "Delta", "Loaded", "Loans", "Segment", "SegmentManifest", "SegmentedIndex", "Segments", "merged"]
