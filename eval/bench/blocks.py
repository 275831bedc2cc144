"""Figures as tables of words, which the terminal and the Markdown report both show: so neither can say what the other does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from eval.bench.quality import MANY
from eval.bench.result import Group, Result
from eval.bench.verdicts import (
    SIGNIFICANT,
    aim_in_words,
    chance_in_words,
    must_in_words,
    published_in_words,
    value_in_words,
)
from eval.outputs.words import in_words, metric_in_words
from recommender.judging import Interval
from recommender.judging.comparison import shown_interval, without_leading_zeros
from recommender.judging.replay import BLEND
from recommender.placements import HISTORY_BUCKETS

MOST_FEATURES = 10
Row = tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """One table: what it is called, its headings, its rows of as many words, and a sentence below it."""

    title: str
    headings: Row
    rows: tuple[Row, ...]
    below: str = ""


def measures(result: Result) -> Block:
    """The set's table: each measure with its 95 % interval, beside the best that is published and what is wanted."""
    title = f"{result.benchmark.name}: {_queries(result)}, {result.benchmark.protocol}"
    source = f"Published: {result.benchmark.source}." if result.benchmark.source else ""
    return Block(title, MEASURES, tuple(measure_rows(result)), source)


MEASURES = ("measure", "this", "published", "must", "aim", "verdict")


def measure_rows(result: Result) -> Iterator[Row]:
    """A row for each measure of a set, under `MEASURES`."""
    for row in result.rows:
        measure = row.measure
        bounds = published_in_words(measure), must_in_words(measure), aim_in_words(measure)
        yield measure.label, value_in_words(row), *bounds, row.verdict


def summary(results: tuple[Result, ...], others: Iterable[tuple[str, ...]] = ()) -> Block:
    """The tables of all sets as one, `others` behind them: rows that begin with the name of a set."""
    rows = ((one.benchmark.name, *row) for one in results for row in measure_rows(one))
    return Block("Against what is published and wanted", ("set", *MEASURES), (*rows, *others))


def sources(result: Result) -> Block:
    """Each source alone beside the blend, the best first, and whether the blend beats them all."""
    rows = []
    for name, interval in sorted(result.singles.items(), key=lambda entry: -entry[1].mean):
        lead, p = result.leads.get(name, (None, None))
        rows.append((in_words(name), shown_interval(interval), _lead(lead), "" if p is None else chance_in_words(p)))
    title = f"{result.benchmark.name}: each source alone, {_metric(result)} of {result.sampled:,} queries"
    return Block(title, ("source", metric_in_words(result.leading), "blend's lead", "p (Holm)"), tuple(rows), beaten_in_words(result))


def beaten_in_words(result: Result) -> str:
    """Whether the blend beats every single source, and if not, which it does not beat."""
    chance = without_leading_zeros(f"{SIGNIFICANT:g}")
    if not result.not_beaten:
        return f"{result.benchmark.name}: the blend beats every single source (p < {chance} after Holm)."
    told = ", ".join(
        f"{in_words(name)} (lead {_lead(result.leads[name][0])}, {chance_in_words(result.leads[name][1])})" for name in result.not_beaten
    )
    return f"{result.benchmark.name}: the blend does not beat, at p < {chance} after Holm: {told}."


def lengths(result: Result) -> Block:
    """The blend and the best single source by length of history."""
    title = f"{result.benchmark.name}: {_metric(result)} by events in the history, blend and best single source"
    return Block(title, ("events", "queries", BLEND, in_words(result.best)), tuple(_groups(result.by_length, (BLEND, result.best))))


def cold_start(result: Result) -> Block:
    """The blend and popularity, the same queries with less and less known."""
    title = f"{result.benchmark.name}: {_metric(result)} of the same queries, of whose histories the newest events alone are known"
    return Block(title, ("newest events", "queries", BLEND, "popularity"), tuple(_groups(result.cold_start, (BLEND, "popularity"))))


def ablation(result: Result) -> Block:
    """What the blend loses without each source; no rows where it was not asked for."""
    rows = sorted(result.without.items(), key=lambda entry: -entry[1][0].mean)
    title = f"{result.benchmark.name}: {_metric(result)} lost without each source, other weights as they are"
    cells = ((in_words(name), _lead(lost), chance_in_words(p)) for name, (lost, p) in rows)
    return Block(title, ("without", "lost", "p (Holm)"), tuple(cells))


def weights(result: Result) -> Block:
    """The blend's weights by length of history, and what the ranker is of."""
    starts = (*HISTORY_BUCKETS, None)
    buckets = [_bucket(start, end) for start, end in pairwise(starts)]
    rows = tuple((in_words(name), *(without_leading_zeros(f"{each:.2f}") for each in row)) for name, row in result.weights.items())
    gain = result.ranker_gain
    judged = f" (NDCG@20 {_lead(gain)} on people held out from its training)" if gain else ""
    below = f"Ranker {'used' if result.ranker else 'not used'}{judged}."
    title = f"{result.benchmark.name}: the blend's weights by events in the history"
    return Block(title, ("source", *buckets), rows, below if rows else f"No blend was learnt; weights are the placement's. {below}")


def importance(result: Result) -> Block:
    """The ranker's ten most important features; no rows where none was trained."""
    best = sorted(result.importance.items(), key=lambda entry: -entry[1])[:MOST_FEATURES]
    used = "" if result.ranker else ", which does not serve, since it did no better"
    title = f"{result.benchmark.name}: the ranker's most important features{used}"
    return Block(title, ("feature", "share of gain"), tuple((in_words(name), f"{share:.1%}") for name, share in best if share > 0))


def remarks(result: Result) -> list[str]:
    """What else is to be said of a set, a sentence each."""
    said = [costs_in_words(result)]
    if result.exhaustive is not None:
        more, served = (without_leading_zeros(f"{each.mean:.4f}") for each in result.exhaustive)
        said.append(
            f"With up to {MANY:,} candidates of each source, all of them ranked, {_metric(result)} is {more}, as served {served}, "
            f"on the same {result.sampled:,} queries."
        )
    return [*said, *(f"{note[:1].upper()}{note[1:]}." for note in result.notes)]


def costs_in_words(result: Result) -> str:
    """Time and memory of a set."""
    costs = result.costs
    fits = "One fit" if costs.fits == 1 else f"The longest of {costs.fits} fits"
    note = f" ({costs.note})" if costs.note else ""
    return (
        f"{fits} took {costs.wall_s:,.0f} s ({costs.processor_s:,.0f} s of processor time) and at its peak {costs.fit_mb:,.0f} MB{note}; "
        f"with reading and judging the peak was {costs.whole_mb:,.0f} MB."
    )


def costs(results: tuple[Result, ...]) -> Block:
    """Time and memory of all sets."""
    rows = []
    for result in results:
        of = result.costs
        seconds = f"{of.wall_s:,.0f}", f"{of.processor_s:,.0f}"
        rows.append((result.benchmark.name, str(of.fits), *seconds, f"{of.fit_mb:,.0f}", f"{of.whole_mb:,.0f}"))
    headings = ("set", "fits", "longest fit, s", "its processor time, s", "peak while fitting, MB", "peak with judging, MB")
    below = next((result.costs.note for result in results if result.costs.note), "")
    return Block("Time and memory", headings, tuple(rows), f"{below[:1].upper()}{below[1:]}." if below else "")


def _queries(result: Result) -> str:
    if result.queries == result.people:
        return f"{result.queries:,} people"
    return f"{result.queries:,} queries of {result.people:,} people"


def _metric(result: Result) -> str:
    return metric_in_words(result.leading)


def _groups(groups: Mapping[str, Group] | Mapping[int, Group], variants: tuple[str, str]) -> Iterator[Row]:
    for name, group in groups.items():
        yield str(name), f"{group.queries:,}", *(shown_interval(group.means[variant]) for variant in variants)


def _lead(interval: Interval | None) -> str:
    return "" if interval is None else shown_interval(interval, signed=True)


def _bucket(start: int | None, end: int | None) -> str:
    """Lengths from `start` to below `end`: "0", "1–2", "10+"."""
    if end is None:
        return f"{start}+"
    return str(start) if end - (start or 0) == 1 else f"{start}–{end - 1}"
