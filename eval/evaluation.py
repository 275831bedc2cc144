"""Judging settings and placements on the store's own events, cut in time, through the serving engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from indexing.embedding import embed_items, find_embedder
from indexing.progress import Reporter
from indexing.snapshot import Snapshot, read_snapshot
from indexing.twin import fit_twin, sampled
from recommender.errors import InvalidInput
from recommender.judging import HeldOut, Interval, bootstrap_mean, cut_at_share, hold_out
from recommender.judging.comparison import LEADING, Comparison, compare
from recommender.placements import Placement
from recommender.profile import BuildSettings
from recommender.settings import Settings
from recommender.store import open_store
from recommender.times import from_micros
from recommender.vectors import VectorIndex

LENGTHS = {"0": (0, 0), "1-2": (1, 2), "3-9": (3, 9), "10-49": (10, 49), "50+": (50, 10**9)}
"""Lengths of history by which figures are broken down, both ends included."""


@dataclass(frozen=True)
class Protocol:
    """What is held out: events in [`cut`, `until`) in µs, `reveal` share of each person's shown as history, at most `people`."""

    cut: int
    until: int | None
    reveal: float
    people: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came of it. `fitted` events were learnt from; `by_length`: the blend's leading metric by length of history."""

    comparison: Comparison
    protocol: Protocol
    fitted: int
    by_length: Mapping[str, tuple[int, Interval]]


def protocol_of(snapshot: Snapshot, *, cut: int | None, share: float, until: int | None, reveal: float, people: int) -> Protocol:
    """The protocol with the cut at time `cut` (µs), or else where the newest `share` of the events before `until` begins."""
    events = snapshot.events if until is None else snapshot.events.before(until)
    if not len(events):
        raise InvalidInput("events", "none before the end", "a store with events; add some with `recommender import events FILE`")
    at = cut if cut is not None else cut_at_share(events, 1 - share)
    if until is not None and until <= at:
        raise InvalidInput("until", from_micros(until).isoformat(), f"later than the cut, {from_micros(at).isoformat()}")
    return Protocol(at, until, reveal, people)


def evaluate(
    settings: Settings,
    build: BuildSettings,
    placement: Placement,
    report: Reporter,
    *,
    cut: int | None = None,
    share: float = 0.2,
    until: int | None = None,
    reveal: float = 0.5,
    people: int = 5_000,
) -> Evaluation:
    """Fit `build` on the events before the cut and judge every variant of `placement` on what people took up after it.

    Reads the store; publishes nothing. Raises `InvalidInput` where there is nothing to learn from or nobody to judge on.
    """
    with open_store(settings.store_path) as store, report.stage("read") as advance:
        snapshot = read_snapshot(store, progress=lambda what, done, total: advance(done, total))
    protocol = protocol_of(snapshot, cut=cut, share=share, until=until, reveal=reveal, people=people)
    held_out = sampled(
        hold_out(snapshot.events, build.event_weights, cut=protocol.cut, until=until, reveal=reveal), people, seed=build.seed
    )
    if not len(held_out):
        newest = from_micros(snapshot.events.at.max()).isoformat()
        allowed = f"a moment after which people took up items new to them; the newest event is of {newest}"
        raise InvalidInput("cut", from_micros(protocol.cut).isoformat(), allowed)
    with report.stage("embed") as advance:
        embedded = embed_items(
            snapshot.items, lambda: find_embedder(build.embedder, build.embed_precision), settings.cache_path, progress=advance
        )
        vectors = VectorIndex.build(embedded.vectors, exact_limit=build.content.exact_limit, seed=build.seed)
    with report.stage("learn"):
        twin = fit_twin(snapshot.catalogue, vectors, embedded.has_vector, snapshot.events, build, protocol.cut)
    with report.stage("judge") as advance:
        comparison = compare(twin, held_out, placement, seed=build.seed, progress=advance)
    fitted = len(snapshot.events.before(protocol.cut))
    return Evaluation(comparison, protocol, fitted, _by_length(comparison, held_out, build.seed))


def _by_length(comparison: Comparison, held_out: HeldOut, seed: int) -> dict[str, tuple[int, Interval]]:
    lengths = np.array([len(history) for history in held_out.histories])
    values = comparison.judgements["blend"].values[LEADING]
    found = {}
    for name, (shortest, longest) in LENGTHS.items():
        chosen = (lengths >= shortest) & (lengths <= longest)
        if chosen.any():
            found[name] = (int(chosen.sum()), bootstrap_mean(values[chosen], np.random.default_rng(seed)))
    return found
