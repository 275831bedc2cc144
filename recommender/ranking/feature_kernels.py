"""The ranker's features as one compiled pass over the candidates, and what it needs of the history before."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled, reordered
from recommender.half_kernels import Halves, fetch_ahead
from recommender.instructions import single
from recommender.vector_kernels import add_to, product

Rows = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]

RECENT = 5
"""Newest items of a history that short-term likeness goes by."""

UNSEEN = np.float32(1e-3)
"""Popularity that is added to everything, so that what nobody looked at has a trend as well."""

TINY = np.float32(1e-9)
"""What is divided by is no smaller."""


@compiled
def blend_columns(made: Floats, blended: Floats) -> None:
    """Write weighted sums, shape (m,), and the same over the largest of them, into the first two columns of `made`, shape (m, f)."""
    largest = np.float32(0)
    for place in range(len(blended)):
        largest = max(largest, blended[place])
    largest = max(largest, TINY)
    for place in range(len(blended)):
        made[place, 0], made[place, 1] = blended[place], blended[place] / largest


@compiled
def liked_shares(rows: Rows, weights: Floats) -> tuple[Rows, Floats]:
    """The rows of a history, shape (h,), whose `weights` are above 0, and their share of the sum of those."""
    liked, shares = np.empty(len(rows), dtype=np.int32), np.empty(len(rows), dtype=np.float32)
    count, total = 0, np.float32(0)
    for place in range(len(rows)):
        if weights[place] > 0:
            liked[count], shares[count] = rows[place], weights[place]
            count += 1
            total += weights[place]
    for place in range(count):
        shares[place] /= max(total, TINY)
    return liked[:count], shares[:count]


@compiled
def asked_likeness(rows: Rows, weights: Floats, vectors: Floats, has_vector: Mask) -> tuple[Floats, int]:
    """What candidates are compared with after a history of `vectors`, shape (h, d): those of its newest liked items that have one, up to
    `RECENT`, the newest first, and in the last line the direction of the mean of all by their weights. Shape (RECENT + 1, d), zeros
    between; and how many the newest are, 0 where no liked item has a vector."""
    d = vectors.shape[1]
    asked, mean = np.zeros((RECENT + 1, d), dtype=np.float32), np.zeros(d, dtype=np.float32)
    newest = 0
    for place in range(len(rows) - 1, -1, -1):
        weight, vector = weights[place], vectors[place]
        if weight <= 0 or not has_vector[rows[place]]:
            continue
        if newest < RECENT:
            add_to(asked[newest], np.float32(1), vector)
            newest += 1
        add_to(mean, weight, vector)
    length = max(np.sqrt(product(mean, mean)), TINY)
    add_to(asked[RECENT], np.float32(1) / length, mean)
    return asked, newest


@reordered
def _cosines(line: npt.NDArray[np.int16], asked: Floats, found: Floats) -> None:
    """Write into `found`, shape (6,), the inner products of a row in half precision, shape (d,), with all six `asked`, in one go."""
    a, b, c, d, e, f = np.float32(0), np.float32(0), np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for at in range(asked.shape[1]):
        value = single(line[at])
        a += value * asked[0, at]
        b += value * asked[1, at]
        c += value * asked[2, at]
        d += value * asked[3, at]
        e += value * asked[4, at]
        f += value * asked[5, at]
    found[0], found[1], found[2], found[3], found[4], found[5] = a, b, c, d, e, f


@reordered
def _share_of(codes: Rows, shares: Floats, code: np.int32) -> np.float32:
    """Sum of the `shares`, shape (h,), where `codes`, shape (h,), are `code`."""
    found = np.float32(0)
    for at in range(len(codes)):
        found += shares[at] if codes[at] == code else np.float32(0)
    return found


@compiled
def _likeness(halves: Halves, more: Halves, asked: Floats, newest: int, rows: Rows, has_vector: Mask, made: Floats) -> None:
    """Write cosines of `rows` to the last, to the nearest of the newest and to the mean of what is `asked`, as `asked_likeness` has it,
    into three columns `made`, shape (m, 3); NaN where there is no vector. Rows behind those of `halves` are those of `more`."""
    n = len(halves)
    cosines = np.empty(RECENT + 1, dtype=np.float32)
    for place in range(len(rows)):
        fetch_ahead(halves, rows, place)
        if not newest or not has_vector[rows[place]]:
            made[place, 0], made[place, 1], made[place, 2] = np.nan, np.nan, np.nan
            continue
        row = rows[place]
        _cosines(halves[row] if row < n else more[row - n], asked, cosines)
        nearest = cosines[0]
        for at in range(1, newest):
            nearest = max(nearest, cosines[at])
        made[place, 0], made[place, 1], made[place, 2] = cosines[0], nearest, cosines[RECENT]


@compiled
def _labels_of(offsets: Rows, authors: Rows, more_offsets: Rows, more_authors: Rows, rows: Rows) -> tuple[Rows, Rows, Rows]:
    """Where the categories of `rows`, shape (m,), start and end, and their authors: gathered in one short loop, which does not wait for
    what lies anywhere in memory before it asks for the next."""
    starts, ends, by = np.empty(len(rows), dtype=np.int32), np.empty(len(rows), dtype=np.int32), np.empty(len(rows), dtype=np.int32)
    n = len(authors)
    for place in range(len(rows)):
        row = rows[place]
        if row < n:
            starts[place], ends[place], by[place] = offsets[row], offsets[row + 1], authors[row]
        else:
            starts[place], ends[place], by[place] = more_offsets[row - n], more_offsets[row - n + 1], more_authors[row - n]
    return starts, ends, by


@compiled
def _affinities(
    offsets: Rows,
    categories: Rows,
    size: int,
    authors: Rows,
    more_offsets: Rows,
    more_categories: Rows,
    more_authors: Rows,
    liked: Rows,
    shares: Floats,
    rows: Rows,
    made: Floats,
) -> None:
    """Write into two columns `made`, shape (m, 2), how much `rows` have in common with what was `liked`, by `shares`, both shape (h,): the
    products of their categories, of `size` ones, each item's summing to 1, with the sum of the liked items', and the shares of their
    author."""
    sums = np.zeros(size, dtype=np.float32)
    starts, ends, theirs = _labels_of(offsets, authors, more_offsets, more_authors, liked)
    first = len(categories)
    for place in range(len(liked)):
        each = shares[place] / np.float32(max(ends[place] - starts[place], 1))
        for at in range(starts[place], ends[place]):
            sums[categories[at] if at < first else more_categories[at - first]] += each
    starts, ends, by = _labels_of(offsets, authors, more_offsets, more_authors, rows)
    for place in range(len(rows)):
        found = np.float32(0)
        for at in range(starts[place], ends[place]):
            found += sums[categories[at] if at < first else more_categories[at - first]]
        made[place, 0] = found / np.float32(max(ends[place] - starts[place], 1))
        made[place, 1] = _share_of(theirs, shares, by[place]) if by[place] >= 0 else np.float32(0)


@compiled
def _age(at: int, missing: int, now: int, unit: float) -> np.float32:
    """log(1 + time from `at` to `now`, at least 0, in units of so many µs); NaN where `at` is `missing`."""
    return np.float32(np.nan) if at == missing else np.float32(math.log1p(max(now - at, 0) / unit))


@compiled
def features_of(
    rows: Rows,
    blended: Floats,
    strengths: Floats,
    ranks: Rows,
    rank_constant: float,
    history: Rows,
    history_weights: Floats,
    history_vectors: Floats,
    now: int,
    halves: Halves,
    has_vector: Mask,
    popularity: Floats,
    recent: Floats,
    growth: np.float32,
    published_at: Times,
    first_at: Times,
    missing: int,
    offsets: Rows,
    categories: Rows,
    size: int,
    authors: Rows,
    more_halves: Halves,
    more_first_at: Times,
    more_offsets: Rows,
    more_categories: Rows,
    more_authors: Rows,
) -> Floats:
    """Features of candidates, shape (m, 2·s + 12), as `FEATURES` names them; the arguments are as in `features`, `Past` and `ItemFacts`.

    What begins with `more_` goes on where the array of that name ends, for items that came after a generation was built; `more_offsets`
    count through `categories` into `more_categories`.

    `growth`: lasting popularity of all items over recent, by which the two compare.
    """
    m, s = strengths.shape
    made = np.empty((m, 2 * s + 12), dtype=np.float32)
    liked, shares = liked_shares(history, history_weights)
    blend_columns(made, blended)
    length = np.float32(math.log1p(len(liked)))
    rest = made[:, 2 + 2 * s :]
    for place in range(m):
        for source in range(s):
            made[place, 2 + source] = strengths[place, source]
        for source in range(s):
            rank = ranks[place, source]
            made[place, 2 + s + source] = np.float32(rank_constant / (rank_constant + rank)) if rank > 0 else np.float32(0)
        rest[place, 4] = length
    # Gathered in short loops as well.
    for place in range(m):
        rest[place, 0], rest[place, 1] = popularity[rows[place]], recent[rows[place]]
    for place in range(m):
        lasting = rest[place, 0]
        rest[place, 0] = np.log1p(lasting)
        rest[place, 1] = np.log((rest[place, 1] + UNSEEN) / (lasting + UNSEEN) * growth)
    published, first = np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64)
    n = len(first_at)
    for place in range(m):
        row = rows[place]
        published[place], first[place] = published_at[row], first_at[row] if row < n else more_first_at[row - n]
    for place in range(m):
        rest[place, 2] = _age(published[place], missing, now, 3_600e6)
        rest[place, 3] = _age(first[place], missing, now, 86_400e6)
    _affinities(offsets, categories, size, authors, more_offsets, more_categories, more_authors, liked, shares, rows, rest[:, 5:7])
    asked, newest = asked_likeness(history, history_weights, history_vectors, has_vector)
    # Without dimensions there is nothing to be like.
    if not halves.shape[1]:
        newest = 0
    _likeness(halves, more_halves, asked, newest, rows, has_vector, rest[:, 7:10])
    return made
