"""Response source: how often items are taken up when they are shown, next to all others; the same for everybody."""

from __future__ import annotations

from recommender.feeds import SourceName
from recommender.sources.popular import PopularSource


class ResponseSource(PopularSource):
    """`counts`, shape (n,), float32, ≥ 0, are the response: 1 as usual, 2 twice as often; items never shown are at 0 and have no say.

    Popularity rises with being shown, this does not. It is worth most where it is kept up to date (`Recommender.with_counts`).
    """

    name = SourceName.RESPONSE
