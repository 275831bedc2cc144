"""Compiled loops by which causes are found: what each event of a history added to an item's score, and the strongest of that."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled, reordered
from recommender.feeds import NAMED, ReasonKind, SourceName
from recommender.half_kernels import widened_rows
from recommender.instructions import prefetch, single
from recommender.kernels import Floats, Halves, Lows, Mask, Rows, prefetch_list
from recommender.linear_kernels import eliminate, lines_of, solve
from recommender.lists import SECTION_BITS

Places = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.uint32]

_FRESH, _POPULAR = int(SourceName.FRESH), int(SourceName.POPULAR)
_NEW, _TAKEN_UP, _COMPLETES = int(ReasonKind.FRESH), int(ReasonKind.POPULAR), int(ReasonKind.FILL)

_CHAINS = 1024
"""Chains of a table of rows, by their lowest bits; a power of two, so many that one in which nothing is comes up for most rows."""


@compiled
def strongest_of_each(values: Floats, nameable: Mask) -> tuple[Rows, Rows, Floats]:
    """The `NAMED` columns with the highest values above 0 in each row of `values`, shape (r, h), of those `nameable`, the same shape.

    Columns, shape (r, `NAMED`), highest first, ties by column; how many of them there are, shape (r,); and the share of the first among
    all positive values of the row, shape (r,).
    """
    columns, counts = np.zeros((len(values), NAMED), dtype=np.int32), np.zeros(len(values), dtype=np.int32)
    shares = np.zeros(len(values), dtype=np.float32)
    for row in range(len(values)):
        line, kept, count, total = values[row], columns[row], 0, np.float32(0)
        for column in range(len(line)):
            value = line[column]
            if not value > 0:
                continue
            total += value
            if not nameable[row, column] or (count == NAMED and value <= line[kept[count - 1]]):
                continue
            place = count if count < NAMED else NAMED - 1
            while place > 0 and line[kept[place - 1]] < value:
                if place < NAMED:
                    kept[place] = kept[place - 1]
                place -= 1
            kept[place] = column
            count = min(count + 1, NAMED)
        counts[row] = count
        if count:
            shares[row] = line[kept[0]] / total
    return columns, counts, shares


@compiled
def leaders(left: Floats, rows: Rows, counts: Rows) -> tuple[Places, Rows, Places]:
    """Which source leads each of r items by what all have `left` to say, shape (r, s), where that is above 0; it has 0 left then.

    Items below 0 among `rows`, shape (r,), and those of which `counts`, shape (r,), are not 0 any more stay out. Returns places of the
    others, those of one leader together, in order of leaders and places; the rows at these; and for each source how many items are led by
    it or by one before it, shape (s,).
    """
    r, s = left.shape
    leading, ends = np.full(r, -1, dtype=np.int32), np.zeros(s, dtype=np.int64)
    for at in range(r):
        most = np.float32(0)
        if rows[at] >= 0 and counts[at] == 0:
            for source in range(s):
                if left[at, source] > most:
                    most, leading[at] = left[at, source], source
        if most > 0:
            ends[leading[at]] += 1
            left[at, leading[at]] = 0
    for source in range(1, s):
        ends[source] += ends[source - 1]
    order, led, nexts = np.empty(ends[s - 1], dtype=np.int64), np.empty(ends[s - 1], dtype=np.int32), np.zeros(s, dtype=np.int64)
    nexts[1:] = ends[:-1]
    for at in range(r):
        if leading[at] >= 0:
            place = nexts[leading[at]]
            order[place], led[place] = at, rows[at]
            nexts[leading[at]] += 1
    return order, led, ends


@compiled
def put_causes(
    places: Rows,
    counts: Rows,
    shares: Floats,
    sources: Bytes,
    at: Places,
    source: int,
    own_places: Rows,
    own_counts: Rows,
    own_shares: Floats,
) -> None:
    """Write the causes that a `source` has for r items, its own arrays, into the arrays of all items, at the places `at`, shape (r,)."""
    for own in range(len(at)):
        place = at[own]
        sources[place], counts[place], shares[place] = source, own_counts[own], own_shares[own]
        for order in range(NAMED):
            places[place, order] = own_places[own, order]


@compiled
def told(
    sources: Bytes, causes: Rows, counts: Rows, rows: Rows, numbers: Numbers, types: Bytes, popularity: Floats, kind: int, personal: Mask
) -> tuple[Bytes, Bytes, Bytes, Places]:
    """Kinds, sources, events, all of shape (r,), and what is named, shape (r, `NAMED`), of reasons for `rows`, shape (r,), -1 for what is
    not in the generation: where there are `counts`, of the `kind` given, after the `causes` that `sources` have, shape (r, `NAMED`) and
    (r,), places in a history of `numbers` and `types`; without types, no events.

    An item without causes is there for a source that does not go by history, which are those that are not `personal`, by their number; one
    that nobody ever consumed only completes the list.
    """
    r = len(rows)
    kinds, events, named = np.empty(r, dtype=np.uint8), np.zeros(r, dtype=np.uint8), np.full((r, NAMED), -1)
    for at in range(r):
        if counts[at]:
            kinds[at] = kind
            for place in range(counts[at]):
                named[at, place] = numbers[causes[at, place]]
            if len(types):
                events[at] = types[causes[at, 0]]
        elif sources[at] == _FRESH:
            kinds[at] = _NEW
        else:
            if personal[sources[at]]:
                sources[at] = _POPULAR
            kinds[at] = _TAKEN_UP if rows[at] >= 0 and popularity[rows[at]] > 0 else _COMPLETES
    return kinds, sources, events, named


@compiled
def _chained(rows: Rows) -> tuple[Rows, Rows]:
    """A table of different `rows`, shape (r,): the place of the first in each chain, and of the one after each in its own; -1 for none."""
    firsts, nexts = np.full(_CHAINS, -1, dtype=np.int32), np.empty(len(rows), dtype=np.int32)
    for place in range(len(rows)):
        chain = rows[place] & (_CHAINS - 1)
        nexts[place], firsts[chain] = firsts[chain], place
    return firsts, nexts


@compiled
def _add_lists(
    offsets: Rows,
    lows: Lows,
    weights: Halves,
    sections: int,
    of: Rows,
    strengths: Floats,
    to: Rows,
    firsts: Rows,
    nexts: Rows,
    parts: Floats,
) -> None:
    """Add to `parts`, shape (h, r), each strength above 0 times the weights of row of[a], shape (h,), of `Lists` in the columns `to`,
    shape (r,), of which there is a table."""
    for event in range(len(of)):
        prefetch(offsets, of[event] * sections)
    for event in range(len(of)):
        prefetch_list(offsets, lows, weights, sections, of[event])
    for event in range(len(of)):
        strength = strengths[event]
        if not strength > 0:
            continue
        for section in range(sections):
            before, first = section << SECTION_BITS, of[event] * sections + section
            for at in range(offsets[first], offsets[first + 1]):
                column = before + lows[at]
                place = firsts[column & (_CHAINS - 1)]
                while place >= 0:
                    if to[place] == column:
                        parts[event, place] += strength * single(weights[at])
                    place = nexts[place]


@compiled
def causes_of_lists(
    offsets: Rows, lows: Lows, weights: Halves, sections: int, history: Rows, strengths: Floats, rows: Rows
) -> tuple[Rows, Rows, Floats]:
    """As `strongest_of_each`, where each event of a `history`, shape (h,), adds to `rows`, shape (r,), all different, its strength times
    what its row of `Lists` has for them; strengths below 0 add nothing."""
    parts = np.zeros((len(history), len(rows)), dtype=np.float32)
    firsts, nexts = _chained(rows)
    _add_lists(offsets, lows, weights, sections, history, strengths, rows, firsts, nexts, parts)
    return strongest_of_each(np.ascontiguousarray(parts.T), np.ones((len(rows), len(history)), dtype=np.bool_))


@compiled
def causes_of_loans(
    offsets: Rows,
    lows: Lows,
    weights: Halves,
    sections: int,
    lending_offsets: Rows,
    lending_lows: Lows,
    lending_weights: Halves,
    lending_sections: int,
    history: Rows,
    strengths: Floats,
    lenders: Rows,
    own: Floats,
    rows: Rows,
) -> tuple[Rows, Rows, Floats]:
    """The same, where each event of a `history` adds its strength times what its row of the first lists has for `lenders`, shape (l,), all
    different, times what the rows of these have for `rows` in the second ones; and what its own row there has for them, times `own`."""
    parts = np.zeros((len(history), len(rows)), dtype=np.float32)
    firsts, nexts = _chained(rows)
    _add_lists(lending_offsets, lending_lows, lending_weights, lending_sections, history, own, rows, firsts, nexts, parts)
    lent = np.zeros((len(lenders), len(rows)), dtype=np.float32)
    alike = np.ones(len(lenders), dtype=np.float32)
    _add_lists(lending_offsets, lending_lows, lending_weights, lending_sections, lenders, alike, rows, firsts, nexts, lent)
    return causes_through(offsets, lows, weights, sections, history, strengths, lenders, lent, parts)


@compiled
def causes_through(
    offsets: Rows, lows: Lows, weights: Halves, sections: int, history: Rows, strengths: Floats, lenders: Rows, lent: Floats, parts: Floats
) -> tuple[Rows, Rows, Floats]:
    """The same for r items, where each event adds its strength times what its row of `Lists` has for `lenders` times what these have
    `lent`, shape (l, r), to what it adds by itself, `parts`, shape (h, r), which are changed."""
    # Few lend anything to these items.
    lending = np.empty(len(lenders), dtype=np.int32)
    count = 0
    for lender in range(len(lenders)):
        if np.any(lent[lender] != 0):
            lending[count] = lender
            count += 1
    named = lenders[lending[:count]]
    firsts, nexts = _chained(named)
    scores = np.zeros((len(history), count), dtype=np.float32)
    _add_lists(offsets, lows, weights, sections, history, strengths, named, firsts, nexts, scores)
    for event in range(len(history)):
        for place in range(count):
            if scores[event, place] != 0:
                for row in range(parts.shape[1]):
                    parts[event, row] += scores[event, place] * lent[lending[place], row]
    return strongest_of_each(np.ascontiguousarray(parts.T), np.ones((parts.shape[1], len(history)), dtype=np.bool_))


@reordered
def causes_of_factors(system: Floats, history: Floats, strengths: Floats, factors: Halves, rows: Rows) -> tuple[Rows, Rows, Floats]:
    """The same, where the parts of an item are the solution of a `system`, shape (h, h), transposed, for the products of its factors with
    those of the `history`, shape (h, f), times `strengths`, of which those below 0 add nothing.

    Where the system has no solution, parts are no numbers, and so no causes.
    """
    h, r, items = len(history), len(rows), widened_rows(factors, rows)
    lines = lines_of(h, r)
    for event in range(h):
        line, own = lines[event], history[event]
        for column in range(h):
            line[column] = system[column, event]
        for row in range(r):
            item, product = items[row], np.float32(0)
            for column in range(len(own)):
                product += own[column] * item[column]
            line[h + row] = product
    eliminate(lines)
    parts, solved = np.empty((r, h), dtype=np.float32), np.empty(lines.shape[1], dtype=np.float32)
    for row in range(r):
        solve(lines, row, solved)
        for event in range(h):
            parts[row, event] = solved[event] * max(strengths[event], np.float32(0))
    return strongest_of_each(parts, np.ones((r, h), dtype=np.bool_))


@compiled
def any_followed(kinds: Bytes, wanted: int, rows: Rows, codes: Rows, liked: Rows, least: int) -> bool:
    """Whether any of r reasons of the `wanted` one of `kinds`, shape (r,), is of one of `rows`, shape (r or more,), -1 for none, whose
    author, by `codes`, shape (n,), -1 for none, has `least` other items among those `liked`, shape (h,)."""
    for place in range(len(kinds)):
        row = rows[place]
        if kinds[place] != wanted or row < 0 or codes[row] < 0:
            continue
        count = 0
        for one in liked:
            count += int(codes[one] == codes[row] and one != row)
        if count >= least:
            return True
    return False
