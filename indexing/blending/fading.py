"""Fading: how much less an event of a history counts to each source for every step that it lies back, chosen by held-out people.

In one place tastes last, in another the last click says nearly all; which it is, the data tell. Only how feeds are made depends on it,
not what is learnt, so that trying several takes no other fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from indexing.blending.gains import is_clear
from indexing.blending.samples import drawn, query_of
from indexing.learn.blocks import runs
from recommender.cores import shared
from recommender.engine import Recommender
from recommender.feeds import SourceName
from recommender.judging import HeldOut
from recommender.judging.metrics import Values, ndcg
from recommender.order import Order
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.ranking.blend import AS_SET
from recommender.served_sources import source_of
from recommender.sources import Past, Source
from recommender.times import from_micros, to_micros

Floats = npt.NDArray[np.float32]

FADING = (
    SourceName.CONTENT,
    SourceName.COLLABORATIVE,
    SourceName.ITEM_ITEM,
    SourceName.TRANSITIONS,
    SourceName.GRAPH,
    SourceName.CO_OCCURRENCE,
)
"""Sources to which older events of a history count less."""
DEPTH = 20
AT_ONCE = 50
"""Queries that a core asks at a time."""
PEOPLE = 600
"""Held-out people that decays are chosen by, of all cuts together at the most."""


@dataclass(frozen=True, eq=False)
class Fit:
    """An engine, and the parts of people held out from what it was fitted on."""

    engine: Recommender
    parts: Sequence[HeldOut]


def chosen_decays(fits: Sequence[Fit], order: Order, placement: Placement, settings: BuildSettings) -> Floats:
    """The decay of each source that serves the held-out people of all `fits` best, shape (s,); NaN where the set one does as well.

    Each source is judged alone, and its decay climbed from the set one, up and down, as long as people are served better. Nothing is
    tried unless the `order` of the events is that of times, nor with fewer people than a blend is learnt from. Where places stand for times
    only the very next item is held out, by which each source does best alone when it forgets fast, and all say the same: on a shop's
    sequences the ranker over sources so chosen gained half as much (NDCG@20 +.002 in place of +.005).
    """
    decays, blending = AS_SET.copy(), settings.blending
    some = [Fit(fit.engine, drawn(_known(fit.parts), max(PEOPLE // len(fits), 1), seed=settings.seed)) for fit in fits]
    if order is not Order.TIME or sum(len(part) for fit in some for part in fit.parts) < blending.fewest:
        return decays
    queries = [asked for fit in some for asked in _asked(fit, placement)]
    # Feeds are made of many small sums, in which threads of BLAS would only wait for each other.
    with threadpool_limits(1, "blas"):
        for source in FADING:
            decays[source - 1] = _climbed(source, queries, settings)
    return decays


def _climbed(source: SourceName, queries: Sequence[_Asked], settings: BuildSettings) -> float:
    """The best decay of one source, NaN for the set one."""
    present = float(getattr(settings, source.key).history_decay)
    ladder = sorted({present, *settings.blending.history_decays})
    start = ladder.index(present)
    values = {start: _alone(source, present, queries)}
    for step in (1, -1):
        place = start
        while 0 <= place + step < len(ladder):
            values[place + step] = _alone(source, ladder[place + step], queries)
            if values[place + step].mean() <= values[place].mean():
                break
            place += step
    best = max(values, key=lambda place: float(values[place].mean()))
    people = np.array([asked.person for asked in queries])
    return ladder[best] if is_clear(values[best] - values[start], people) else np.nan


@dataclass(frozen=True, eq=False)
class _Asked:
    """One query of an engine: whose it is, the history, what may be shown, shape (n,), and what was taken up."""

    engine: Recommender
    person: int
    past: Past
    allowed: npt.NDArray[np.bool_]
    targets: npt.NDArray[np.uint32]
    now: int


def _asked(fit: Fit, placement: Placement) -> Iterator[_Asked]:
    for part in fit.parts:
        now = from_micros(part.cut)
        for place in range(len(part)):
            query = query_of(part, place, placement)
            allowed = fit.engine.eligibility.allowed(query, now)
            past = Past.of(query, fit.engine.contents.catalogue, fit.engine.settings)
            yield _Asked(fit.engine, int(part.people[place]), past, allowed, part.targets[place], to_micros(now))


def _alone(name: SourceName, decay: float, queries: Sequence[_Asked]) -> Values:
    """NDCG of what one source ranks first for each query under a decay, shape (q,)."""
    sources: dict[int, Source] = {}
    for engine in {id(asked.engine): asked.engine for asked in queries}.values():
        faded = getattr(engine.settings, name.key).model_copy(update={"history_decay": decay})
        sources[id(engine)] = source_of(name, engine.contents, engine.settings.model_copy(update={name.key: faded}))
    hits = np.zeros((len(queries), DEPTH), dtype=np.bool_)

    def look(lines: slice) -> None:
        for line in range(lines.start, lines.stop):
            asked = queries[line]
            source = sources[id(asked.engine)]
            if not source.has_opinion(asked.past):
                continue
            scorer = source.prepare(asked.past, asked.now)
            rows = np.sort(scorer.candidates(asked.allowed, DEPTH))
            rows = rows[np.argsort(-scorer.score(rows), kind="stable")]
            hits[line, : len(rows)] = np.isin(asked.engine.contents.catalogue.numbers[rows], asked.targets)

    shared(look, runs(len(queries), AT_ONCE))
    return ndcg(hits, np.array([len(asked.targets) for asked in queries]), DEPTH)


def _known(parts: Sequence[HeldOut]) -> list[HeldOut]:
    """The parts in which everything may be ranked: of new items alone most of these sources say nothing."""
    return [part for part in parts if part.candidates is None]
