"""The rows of a set's table: each measure's value, and what is to be said of it."""

from __future__ import annotations

from eval.bench.measures import Kind, Measure
from eval.bench.result import Row
from recommender.judging import Interval
from recommender.judging.comparison import shown_chance, without_leading_zeros

SIGNIFICANT = 0.05


def row_of(measure: Measure, interval: Interval, p: float | None = None) -> Row:
    """The row of a value; `p` of the difference that it tells of, corrected, where it tells of one."""
    return Row(measure, interval, verdict(measure, interval.mean, p), p)


def verdict(measure: Measure, value: float, p: float | None = None) -> str:
    """ "aim reached", "reached" or "MISSED"; without a "must" how it stands to the aim, without either to the best published; else "".

    Of several conditions each has to hold. A difference counts as significant only where it is one for the better.
    """
    bounds = {name: bound for name in ("must", "aim") if (bound := getattr(measure, name)) is not None}
    held = {name: value <= bound if measure.kind.is_cost else value >= bound for name, bound in bounds.items()}
    if measure.p is not None:
        held["must"] = held.get("must", True) and p is not None and p < measure.p and value > 0
    if held and not held.get("must", True):
        return "MISSED"
    if held.get("aim"):
        return "aim reached"
    if "must" in held:
        return "reached"
    if "aim" in held:
        return "below the aim"
    if measure.published is not None:
        return "above the best published" if value > measure.published else "below the best published"
    return ""


def must_in_words(measure: Measure) -> str:
    """What the measure has to be at least, or for a cost at most: "≥ .1930", "p < .01"; "–" for nothing."""
    words = [_bound(measure, measure.must)] if measure.must is not None else []
    if measure.p is not None:
        words.append(without_leading_zeros(f"p < {measure.p:g}"))
    return ", ".join(words) or "–"


def aim_in_words(measure: Measure) -> str:
    """What the measure is meant to be, as `must_in_words` has it."""
    return "–" if measure.aim is None else _bound(measure, measure.aim)


def published_in_words(measure: Measure) -> str:
    """The best that is published, or "–"."""
    return "–" if measure.published is None else number_in_words(measure.kind, measure.published)


def value_in_words(row: Row) -> str:
    """A row's value with its interval, and p where it has one: ".1924 [.190, .195]"."""
    kind, interval = row.measure.kind, row.interval
    text = number_in_words(kind, interval.mean)
    if not kind.is_cost:
        low, high = (number_in_words(kind, end, short=True) for end in (interval.low, interval.high))
        text += f" [{low}, {high}]"
    return text if row.p is None else f"{text}, {chance_in_words(row.p)}"


def chance_in_words(p: float) -> str:
    """A p as short text: "p = .034", "p < .001"."""
    return f"p {shown_chance(p)}" if p < 0.001 else f"p = {shown_chance(p)}"


def number_in_words(kind: Kind, value: float, *, short: bool = False) -> str:
    """A value as its kind is read: a share, "+15.0 %", "2.35 ×", "56 s", "1.9 GB"; `short` without its unit, as ends of intervals are."""
    match kind:
        case Kind.LEAD:
            return f"{100 * value:+.1f}" if short else f"{100 * value:+.1f} %"
        case Kind.TIMES:
            return f"{value:.2f}" if short else f"{value:.2f} ×"
        case Kind.OVER:
            return without_leading_zeros(f"{value:+.3f}" if short else f"{value:+.4f}")
        case Kind.SECONDS:
            return f"{value:,.0f} s"
        case Kind.GIGABYTES:
            return f"{value:.1f} GB"
        case _:
            return without_leading_zeros(f"{value:.3f}" if short else f"{value:.4f}")


def _bound(measure: Measure, bound: float) -> str:
    text = number_in_words(measure.kind, bound).replace(".0 %", " %")
    return f"{'≤' if measure.kind.is_cost else '≥'} {text}"
