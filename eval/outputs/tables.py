"""Figures as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from eval.outputs.every_figure import LISTS, RANKED, Column, cell_of, columns_of, leading_variants
from eval.outputs.figures import Figures, at_k
from eval.outputs.words import metric_in_words
from recommender.judging import Interval
from recommender.judging.comparison import shown_chance, shown_interval, without_leading_zeros
from recommender.judging.replay import BLEND


def title_of(figures: Figures) -> str:
    """What was judged, in one sentence."""
    windows = figures["windows"]
    moment = f"after {windows[0]['cut'][:16].replace('T', ' ')} UTC"
    cut = {"by time": moment}.get(windows[0]["name"], f"({windows[0]['name']})")
    if len(windows) > 1:
        cut = f"in {len(windows)} windows {moment}"
    people = f"{figures['people']:,} people"
    people += f" ({figures['queries']:,} queries)" if figures["queries"] != figures["people"] else ""
    if excluded := sum(window["excluded_impressions"] for window in windows):
        people += f", without {excluded:,} impressions of which nothing or everything was taken up,"
    placement = figures["placement"]
    learnt = f"{windows[-1]['fitted_events']:,} events learnt from"
    profile = f"profile {figures['profile']}, placement {placement['name']} ({placement['version']})"
    return f"{figures['data']['name']}: {people} {cut}, {learnt}, {profile}"


def tables_of(figures: Figures, lengths: Sequence[int] = ()) -> Iterator[tuple[str, Table]]:
    """What follows the table of variants, each with its title, which may be wider than the table: every figure of the blend, the best
    single source and popularity, figures at the `lengths` of list, break-downs, cold start, how reliable probabilities are, ablation,
    comparison, learning curve."""
    for title, columns in (("What is ranked right", RANKED), ("What lists are like", LISTS)):
        if found := columns_of(figures, columns):
            yield title, _every_figure(figures, found)
    if lengths:
        yield "Blend by length of the list", _lengths(figures, lengths)
    for broken in figures["break_downs"]:
        yield f"By {broken['by']}: {metric_in_words(broken['metric'])}", break_down_table(broken)
    if "cold_start" in figures:
        people = figures["cold_start"]["groups"][0]["people"]
        yield f"NDCG@10 of the same {people:,} people by what is known of them", _same_people(figures["cold_start"])
    if "reliability" in figures:
        reliability = figures["reliability"]
        table = _table("items", "probability", "taken up")
        for each in reliability["bins"]:
            table.add_row(f"{each['shown']:,}", short_share(each["predicted"]), shown(each["happened"]))
        yield f"How reliable probabilities are: calibration error {short_share(reliability['error'])}", table
    if "ablation" in figures:
        table = _table("without", "lost", "p")
        for name, lost in figures["ablation"].items():
            table.add_row(name, shown(lost, signed=True), shown_chance(lost["p"]))
        yield "NDCG@10 lost without each source", table
    if "compared" in figures:
        yield f"Compared with {figures['compared']['file']}", comparison_rows(figures["compared"])
    if "learning_curve" in figures:
        table = _table("share", "people", "events", "NDCG@10", "Recall@20")
        for point in figures["learning_curve"]:
            counts = f"{point['people']:,}", f"{point['events']:,}"
            table.add_row(f"{point['share']:.0%}", *counts, shown(point["ndcg@10"]), shown(point["recall@20"]))
        yield "Learnt from a share of the people", table


def shown(interval: Mapping[str, float], *, signed: bool = False) -> str:
    """An interval of the figures as short text, as the table of variants has it."""
    return shown_interval(Interval(interval["mean"], interval["low"], interval["high"]), signed=signed)


def _every_figure(figures: Figures, columns: Sequence[Column]) -> Table:
    variants = leading_variants(figures)
    table = _table("figure", *variants)
    for column in columns:
        table.add_row(column.heading, *(cell_of(figures, variant, column) for variant in variants))
    return table


def short_share(share: float) -> str:
    """A share of one to four digits: .0123."""
    return without_leading_zeros(f"{share:.4f}")


def _lengths(figures: Figures, lengths: Sequence[int]) -> Table:
    table = _table("k", "NDCG", "recall", "precision")
    blend = at_k(figures, lengths)[BLEND]
    for k in lengths:
        table.add_row(str(k), *(short_share(blend[curve][k]) for curve in ("ndcg", "recall", "precision")))
    return table


def break_down_table(broken: Mapping[str, Any]) -> Table:
    """A break-down of the figures, of two variants at the most."""
    # The rival's column would not fit into a terminal; the report has it.
    variants = broken["variants"][:2]
    table = _table(broken["by"], broken["unit"], *variants)
    for group in broken["groups"]:
        means = (shown(group["means"][variant]) if group["means"] else "too few" for variant in variants)
        # Segments and languages are other people's words, which may hold rich's own marks.
        table.add_row(Text(group["group"]), f"{group['count']:,}", *means)
    return table


def _same_people(curve: Mapping[str, Any]) -> Table:
    table = _table(curve["by"], *curve["variants"])
    for group in curve["groups"]:
        table.add_row(group["group"], *(shown(group["means"][variant]) for variant in curve["variants"]))
    return table


def comparison_rows(compared: Mapping[str, Any]) -> Table:
    """Metrics of two runs, their means, the difference and its p."""
    table = _table("metric", "this", "that", "this − that", "p")
    for metric, row in compared["metrics"].items():
        means = (short_share(row[side]["mean"]) for side in ("ours", "theirs"))
        table.add_row(metric_in_words(metric), *means, shown(row["difference"], signed=True), shown_chance(row["difference"]["p"]))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(first, max_width=22, overflow="fold")
    for other in others:
        table.add_column(other, justify="right", no_wrap=True)
    return table
