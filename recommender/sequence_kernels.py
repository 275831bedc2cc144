"""Compiled loops of the transformer (`recommender/sequence_model.py`), each over rows of states in d numbers.

Arrays of a model are taken as `Learnt`, its items as halves, both read-only, so that each loop is compiled once, whether they are mapped
files or not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.cause_kernels import strongest_of_each
from recommender.compiling import compiled, reordered
from recommender.half_kernels import dot
from recommender.instructions import fetch, single
from recommender.kernels import Floats, Halves, Mask, Rows

Places = npt.NDArray[np.int64]
Learnt = npt.NDArray[np.float32]

NONE_HIDDEN = -1
"""Stands for the place of a hidden item where none is."""
_AHEAD = 10
"""So many rows ahead items are fetched."""


@reordered
def placed(items: Halves, positions: Learnt, history: Rows) -> Floats:
    """The states, shape (h, d), that a history of h ≤ l items starts with: each item and the position of how many came after it."""
    h, d = len(history), items.shape[1]
    made = np.empty((h, d), dtype=np.float32)
    for place in range(h):
        fetch(items, history[place])
    for place in range(h):
        item, position = items[history[place]], positions[h - 1 - place]
        for column in range(d):
            made[place, column] = single(item[column]) + position[column]
    return made


@reordered
def normed(states: Floats, norm: Learnt, epsilon: np.float32) -> Floats:
    """Each of `states`, shape (m, d), at mean 0 and variance 1, times norm[0] plus norm[1], both shape (d,): shape (m, d)."""
    made = np.empty_like(states)
    d = states.shape[1]
    for row in range(len(states)):
        mean = np.float32(0)
        for column in range(d):
            mean += states[row, column]
        mean /= np.float32(d)
        spread = np.float32(0)
        for column in range(d):
            apart = states[row, column] - mean
            spread += apart * apart
        root = np.float32(1) / np.sqrt(spread / np.float32(d) + epsilon)
        for column in range(d):
            made[row, column] = (states[row, column] - mean) * root * norm[0, column] + norm[1, column]
    return made


@reordered
def through(states: Floats, matrix: Learnt, first: int, width: int) -> Floats:
    """Shape (m, width): `states`, shape (m, in), through `width` columns from the `first` of a `matrix`, shape (in + 1, any), whose last
    row is added."""
    m, wide = states.shape
    made = np.empty((m, width), dtype=np.float32)
    for row in range(m):
        made[row] = matrix[wide, first : first + width]
    whole = wide - wide % 4
    # Four at a time, so that each sum is fetched and put back a quarter as often.
    for place in range(0, whole, 4):
        a, b = matrix[place, first : first + width], matrix[place + 1, first : first + width]
        c, d = matrix[place + 2, first : first + width], matrix[place + 3, first : first + width]
        for row in range(m):
            line = made[row]
            of_a, of_b, of_c, of_d = states[row, place], states[row, place + 1], states[row, place + 2], states[row, place + 3]
            for column in range(width):
                line[column] += of_a * a[column] + of_b * b[column] + of_c * c[column] + of_d * d[column]
    for place in range(whole, wide):
        for row in range(m):
            for column in range(width):
                made[row, column] += states[row, place] * matrix[place, first + column]
    return made


@reordered
def attended(lines: Floats, attention: Learnt, heads: int) -> Floats:
    """What the newest of `lines`, shape (h, d), asks of each, by head, up to what it asks of all alike: logits, shape (heads, h).

    A query meets a key's matrix before the lines do, which leaves no keys to be made.
    """
    h, d = lines.shape
    part = d // heads
    query = through(lines[h - 1 : h], attention, 0, d)[0]
    scale = np.float32(1) / np.sqrt(np.float32(part))
    logits = np.empty((heads, h), dtype=np.float32)
    asked = np.empty(d, dtype=np.float32)
    for head in range(heads):
        own = query[head * part : (head + 1) * part]
        for place in range(d):
            keys, product = attention[place, d + head * part : d + (head + 1) * part], np.float32(0)
            for column in range(part):
                product += keys[column] * own[column]
            asked[place] = product * scale
        for place in range(h):
            line, product = lines[place], np.float32(0)
            for column in range(d):
                product += line[column] * asked[column]
            logits[head, place] = product
    return logits


@reordered
def mixed(lines: Floats, logits: Floats, hidden: Places) -> tuple[Floats, Floats]:
    """The means of `lines`, shape (h, d), by the exponentials of `logits`, shape (heads, h), without each of the `hidden` places, shape
    (p,), `NONE_HIDDEN` for none: shape (p, heads · d), and the shares of lines in them, the mean over heads, shape (p, h)."""
    (heads, h), d = logits.shape, lines.shape[1]
    means, shares = np.zeros((len(hidden), heads * d), dtype=np.float32), np.zeros((len(hidden), h), dtype=np.float32)
    weights = np.empty(h, dtype=np.float32)
    for place in range(len(hidden)):
        for head in range(heads):
            most = np.float32(-np.inf)
            for at in range(h):
                if at != hidden[place]:
                    most = max(most, logits[head, at])
            total = np.float32(0)
            for at in range(h):
                weights[at] = np.float32(0) if at == hidden[place] else np.exp(logits[head, at] - most)
                total += weights[at]
            mean = means[place, head * d : (head + 1) * d]
            for at in range(h):
                weight = weights[at] / total
                shares[place, at] += weight / np.float32(heads)
                line = lines[at]
                for column in range(d):
                    mean[column] += weight * line[column]
    return means, shares


@reordered
def given(means: Floats, attention: Learnt, heads: int) -> Floats:
    """What attention gives a state that attends to these `means` of lines, shape (p, heads · d): their values through the output's matrix,
    shape (p, d)."""
    p, d = len(means), attention.shape[0] - 1
    part = d // heads
    values = np.empty((p, d), dtype=np.float32)
    for head in range(heads):
        own = np.ascontiguousarray(means[:, head * d : (head + 1) * d])
        values[:, head * part : (head + 1) * part] = through(own, attention, 2 * d + head * part, part)
    return through(values, attention, 3 * d, d)


@reordered
def gelu(states: Floats) -> None:
    """Multiply each number of `states`, two dimensions, by the chance that a standard normal one is below it.

    The error function is the quotient of polynomials that Eigen has for single precision, which is off by a few units in the last place.
    """
    for row in range(states.shape[0]):
        line = states[row]
        for column in range(len(line)):
            x = min(max(line[column] * np.float32(0.7071067811865476), np.float32(-4)), np.float32(4))
            square = x * x
            above = np.float32(-2.72614225801306e-10) * square + np.float32(2.77068142495902e-08)
            above = above * square + np.float32(-2.10102402082508e-06)
            above = above * square + np.float32(-5.69250639462346e-05)
            above = above * square + np.float32(-7.34990630326855e-04)
            above = above * square + np.float32(-2.95459980854025e-03)
            above = above * square + np.float32(-1.60960333262415e-02)
            below = np.float32(-1.45660718464996e-05) * square + np.float32(-2.13374055278905e-04)
            below = below * square + np.float32(-1.68282697438203e-03)
            below = below * square + np.float32(-7.37332916720468e-03)
            below = below * square + np.float32(-1.42647390514189e-02)
            line[column] *= np.float32(0.5) * (np.float32(1) + x * above / below)


@reordered
def widened(states: Floats, norm: Learnt, widening: Learnt, narrowing: Learnt, epsilon: np.float32) -> Floats:
    """`states`, shape (m, d), and what the wide layer adds to them: shape (m, d)."""
    inner = through(normed(states, norm, epsilon), widening, 0, widening.shape[1])
    gelu(inner)
    return states + through(inner, narrowing, 0, narrowing.shape[1])


@reordered
def finished(
    newest: Floats,
    means: Floats,
    attention: Learnt,
    heads: int,
    widening: Learnt,
    narrowing: Learnt,
    norms: Learnt,
    epsilon: np.float32,
) -> Floats:
    """What the last block and the last norm make of states of the `newest` item, shape (p, d), which attend to `means` of lines, shape
    (p, heads · d): encodings, shape (p, d)."""
    states = given(means, attention, heads)
    for row in range(len(states)):
        for column in range(states.shape[1]):
            states[row, column] += newest[row, column]
    last = len(norms) - 1
    return normed(widened(states, norms[last - 1], widening, narrowing, epsilon), norms[last], epsilon)


@reordered
def read_last(
    states: Floats,
    hidden: int,
    attention: Learnt,
    heads: int,
    widening: Learnt,
    narrowing: Learnt,
    norms: Learnt,
    epsilon: np.float32,
) -> tuple[Floats, Floats, Floats, Floats]:
    """What the last block makes of `states`, shape (h, d), where nothing attends to the `hidden` place: lines, shape (h, d), and logits,
    shape (heads, h), by which they are attended to, the encoding, shape (1, d), and the shares of `mixed`."""
    lines = normed(states, norms[len(norms) - 3], epsilon)
    logits = attended(lines, attention, heads)
    means, shares = mixed(lines, logits, np.full(1, hidden))
    newest = states[len(states) - 1 :]
    return lines, logits, finished(newest, means, attention, heads, widening, narrowing, norms, epsilon), shares


@reordered
def read_without(
    items: Halves,
    positions: Learnt,
    history: Rows,
    states: Floats,
    lines: Floats,
    logits: Floats,
    places: Places,
    attention: Learnt,
    heads: int,
    widening: Learnt,
    narrowing: Learnt,
    norms: Learnt,
    epsilon: np.float32,
) -> Floats:
    """The encodings of a `history`, shape (h,), without the item at each of `places`, shape (p,), by a model of one block that made
    `states`, `lines` and `logits` when it read the newest l items: shape (p, d).

    What is asked of the other items stays as it is, only how they are mixed is new; but where the newest is left out, another asks.
    """
    h, d = len(history), lines.shape[1]
    means, _ = mixed(lines, logits, places - (h - len(states)))
    newest = np.empty((len(places), d), dtype=np.float32)
    for row in range(len(places)):
        newest[row] = states[len(states) - 1]
        if places[row] == h - 1:
            before = placed(items, positions, history[max(h - 1 - len(positions), 0) : h - 1])
            newest[row] = before[len(before) - 1]
            others = normed(before, norms[0], epsilon)
            alone, _ = mixed(others, attended(others, attention, heads), np.full(1, NONE_HIDDEN))
            means[row] = alone[0]
    return finished(newest, means, attention, heads, widening, narrowing, norms, epsilon)


@reordered
def falls(items: Halves, known: Mask, rows: Rows, encoded: Floats, without: Floats, fallen: Floats, first: int) -> bool:
    """Write by how much the logits of `rows`, shape (r,), are higher by one encoding, shape (d,), than by each of those `without` an
    event, shape (p, d), into `fallen`, shape (r, any), from the column `first`: -inf for rows that are not known.

    Returns whether every known row is higher in some column up to there.
    """
    p, d = without.shape
    every = True
    apart, wide = np.empty((p, d), dtype=np.float32), np.empty(d, dtype=np.float32)
    for row in range(len(rows)):
        fetch(items, rows[row])
    for place in range(p):
        for column in range(d):
            apart[place, column] = encoded[column] - without[place, column]
    for row in range(len(rows)):
        if not known[rows[row]]:
            fallen[row, first : first + p] = -np.inf
            continue
        line = items[rows[row]]
        for column in range(d):
            wide[column] = single(line[column])
        for place in range(p):
            product, less = np.float32(0), apart[place]
            for column in range(d):
                product += wide[column] * less[column]
            fallen[row, first + place] = product
        every &= bool(np.any(fallen[row, : first + p] > 0))
    return every


@compiled
def causes_of_falls(fallen: Floats, places: Places, h: int) -> tuple[Rows, Rows, Floats]:
    """As `strongest_of_each` of r rows' falls, shape (r, p), without events at `places`, shape (p,), of a history of h; where a row falls
    without none of them, by how little it rises."""
    r, p = fallen.shape
    parts = np.zeros((r, h), dtype=np.float32)
    for row in range(r):
        falling = np.any(fallen[row] > 0)
        for column in range(p):
            parts[row, places[column]] = fallen[row, column] if falling else np.exp(fallen[row, column])
    return strongest_of_each(parts, np.ones((r, h), dtype=np.bool_))


@reordered
def chances(
    items: Halves, bias: Learnt, known: Mask, rows: Rows, state: Floats, usual: np.float32, most: np.float32, power: np.float32
) -> Floats:
    """The scores of `rows`, shape (m,): exp(power · (logit − usual)), what is in brackets being `most` at the most; -inf for rows that are
    not known and where the exponential is 0."""
    found = np.empty(len(rows), dtype=np.float32)
    for place in range(len(rows)):
        if place + _AHEAD < len(rows):
            fetch(items, rows[place + _AHEAD])
        above = dot(items[rows[place]], state) + bias[rows[place]] - usual
        # Written so that what is no number stays none.
        if above > most:
            above = most
        chance = np.exp(power * above)
        found[place] = -np.inf if chance == 0 or not known[rows[place]] else chance
    return found
