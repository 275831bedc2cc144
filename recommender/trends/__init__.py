"""What trends: what people took up within a window of time, in a region or a segment, counted from their newest events."""

from recommender.trends.asked import Asked
from recommender.trends.phrases import popular_text, when
from recommender.trends.recent_events import ENTRIES, RecentEvents
from recommender.trends.trend import NOT_KEPT, OF_ALL, OF_GROUP, STANDING, Least, Trend, make_ready, trend_of
from recommender.trends.trend_source import TrendSource

__all__ = [
    "ENTRIES",
    "NOT_KEPT",
    "OF_ALL",
    "OF_GROUP",
    "STANDING",
    "Asked",
    "Least",
    "RecentEvents",
    "Trend",
    "TrendSource",
    "make_ready",
    "popular_text",
    "trend_of",
    "when",
]
