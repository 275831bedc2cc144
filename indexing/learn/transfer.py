"""Content-to-behaviour transfer: items that nobody consumed yet are scored as their neighbours in content are.

A new item is like some that people know, and what leads people to those leads them to it. So it borrows the item–item scores of
its nearest neighbours in meaning and in labels (after attribute-to-feature mappings, Gantner et al., ICDM 2010, with neighbours
in place of a learnt map, which keep what is particular to each).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.learn.blocks import runs
from indexing.learn.degrees import column_sums
from indexing.learn.labels import Labels
from indexing.learn.strongest import strongest_of_dense, strongest_per_row
from indexing.learn.sums import strongest_product
from recommender.compiling import compiled
from recommender.cores import shared
from recommender.generation.catalogue import Catalogue
from recommender.half_kernels import dot, fetch_ahead, widened_rows
from recommender.near_lists import Cells
from recommender.profile import Transfer
from recommender.vectors import VectorIndex

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Pairs = tuple[npt.NDArray[np.int64], Rows]

CHUNK = 2_048
PAIRS = 2**16
"""Pairs of items whose likenesses are taken at a time."""
ALL_COMPARED = 5 * 2**28
"""So many pairs of borrower and lender are all compared; where there are more, a search in cells takes less time."""
DENSE_CELLS = 2**23
"""Likenesses held at a time, 4 bytes each."""
COMMON = 5_000
"""Labels of more lenders than that propose no neighbours of an item with a vector, where not all are looked at; they do decide."""
SAMPLE = 600
"""Lenders from which it is told how much likeness in labels tells apart."""
LOOKED_AT = 2
"""So many times the neighbours are looked at by meaning and by labels each, before both together decide."""


@dataclass(frozen=True, eq=False)
class Content:
    """What n items are like: `vectors` of those in `has_vector`, shape (n,), and `labels` as rows of length 1 or 0, shape (n, l)."""

    vectors: VectorIndex
    has_vector: Mask
    labels: sp.csr_array


class Compared(NamedTuple):
    """What items are compared by, as compiled loops take it: vectors in half precision, and labels as a CSR matrix, indices sorted."""

    halves: npt.NDArray[np.int16]
    has_vector: Mask
    offsets: Rows
    labels: Rows
    weights: Floats

    @classmethod
    def of(cls, halves: npt.NDArray[np.int16], has_vector: Mask, labels: sp.csr_array) -> Compared:
        """Items by `halves`, shape (n, d), of those in `has_vector`, shape (n,), and `labels`, shape (n, l)."""
        return cls(halves, has_vector, labels.indptr, labels.indices, labels.data)


class Lending(NamedTuple):
    """What some of n items lend to others, and what is needed to tell what they lend to more.

    `weights`: shape (n, n), CSR, float32: row w holds what lender w gives to each borrower. `worth`: shape (n,), float32, what a share of
    a lender is multiplied by, 0 for what does not lend. `label_share`: what likeness in labels counts beside that in meaning.
    """

    weights: sp.csr_array
    worth: Floats
    label_share: float


def lending_of(
    catalogue: Catalogue, vectors: VectorIndex, has_vector: Mask, matrix: sp.csr_array, settings: Transfer, *, seed: int = 0
) -> Lending:
    """What item–item scores of some items lend to others.

    `matrix`: people by items, from which items with less than `fewest` of weight borrow and the others lend. A lender's share of a
    borrower is its likeness above that of the first neighbour left out; shares sum to 1 and are divided by the lender's degree to
    `degree_exponent`. That is free of the scale and the offset of likenesses.
    """
    n = catalogue.n
    degrees = column_sums(matrix)
    lends = degrees >= settings.fewest
    borrowers, lenders = np.flatnonzero(~lends), np.flatnonzero(lends)
    worth = np.zeros(n, dtype=np.float32)
    worth[lenders] = degrees[lenders] ** -settings.degree_exponent
    if not len(lenders):
        return Lending(sp.csr_array((n, n), dtype=np.float32), worth, settings.label_share)
    content = Content(vectors, has_vector, Labels.of(catalogue).vectors)
    share = settings.label_share * label_weight(content, lenders, settings.neighbours)
    if not len(borrowers):
        return Lending(sp.csr_array((n, n), dtype=np.float32), worth, share)
    near = neighbours(content, borrowers, lends, settings.neighbours + 1, share, seed)
    shares = above_last(near, settings.neighbours)
    shares.data *= worth[shares.indices]
    coo = shares.tocoo()
    weights = sp.csr_array((coo.data, (coo.col, borrowers[coo.row].astype(np.int32))), shape=(n, n))
    weights.sort_indices()
    return Lending(weights, worth, share)


def transfer_weights(
    catalogue: Catalogue, vectors: VectorIndex, has_vector: Mask, matrix: sp.csr_array, settings: Transfer, *, seed: int = 0
) -> sp.csr_array:
    """The weights of `lending_of` alone."""
    return lending_of(catalogue, vectors, has_vector, matrix, settings, seed=seed).weights


def label_weight(content: Content, lenders: npt.NDArray[np.int64], most: int) -> float:
    """Weight by which likeness in labels tells neighbours apart as much as likeness in meaning does; 1 where one of them is missing.

    Measured on a sample of the lenders: how far, on average, the nearest `most` stand above the first one left out.
    """
    sample = lenders[np.linspace(0, len(lenders) - 1, min(SAMPLE, len(lenders))).astype(np.int64)]
    spreads = []
    for share, by_meaning in ((0.0, True), (1.0, False)):
        near = _among_all(content, sample, lenders, most + 2, share, by_meaning=by_meaning)
        # An item is its own nearest neighbour.
        near.data[near.indices == np.repeat(sample, np.diff(near.indptr))] = 0
        near.eliminate_zeros()
        spreads.append(float(_height(near, most).sum()) / (most * max(len(sample), 1)))
    meaning, labels = spreads
    return meaning / labels if meaning > 0 and labels > 0 else 1.0


def above_last(near: sp.csr_array, most: int) -> sp.csr_array:
    """Likenesses above each row's first neighbour beyond the `most` nearest, as shares that sum to 1; rows without any stay empty.

    A row with fewer neighbours has none left out, so that its likenesses count as they are; so they do where all are alike, of which
    none stands out.
    """
    shares = near.copy()
    height, owner = _height(near, most), np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
    stands_out = np.bincount(owner, weights=height, minlength=near.shape[0]) > 0
    shares.data = np.where(stands_out[owner], height, near.data).astype(np.float32)
    shares.eliminate_zeros()
    totals = np.asarray(shares.sum(axis=1)).ravel()
    shares.data /= np.repeat(totals, np.diff(shares.indptr)).astype(np.float32)
    return shares


def _height(near: sp.csr_array, most: int) -> npt.NDArray[np.float32]:
    sizes = np.diff(near.indptr)
    floor = np.zeros(len(sizes), dtype=np.float32)
    full = sizes > most
    if full.any():
        floor[full] = np.minimum.reduceat(near.data, near.indptr[:-1][sizes > 0])[full[sizes > 0]]
    height: npt.NDArray[np.float32] = near.data - np.repeat(floor, sizes)
    return height


def neighbours(content: Content, rows: npt.NDArray[np.int64], lends: Mask, most: int, label_share: float, seed: int) -> sp.csr_array:
    """Likeness of the `most` lenders nearest to each of `rows`, shape (r, n), CSR, float32, above 0.

    Likenesses in meaning and in labels, these multiplied by `label_share`, decide together. Where more than
    `ALL_COMPARED` pairs could be, only those are looked at that are nearest by one of both, as cells of vectors learnt with `seed` tell.
    """
    lenders = np.flatnonzero(lends)
    if len(rows) * len(lenders) <= ALL_COMPARED:
        return _among_all(content, rows, lenders, most, label_share)
    by_label, by_rare_label = holders_of(content.labels, lends, label_share)
    with_vector = np.flatnonzero(lends & content.has_vector).astype(np.int32)
    cells = Cells(content.vectors.halves, with_vector, seed) if len(with_vector) else None
    own = Compared.of(content.vectors.halves, content.has_vector, content.labels)

    def found(part: slice) -> sp.csr_array:
        chosen = rows[part].astype(np.int32)
        labels = sp.csr_array(content.labels[chosen])
        if cells is None:
            return strongest_product(labels, by_label, most)
        has_vector = content.has_vector[chosen]
        pairs = []
        for rows_of, proposing in ((np.flatnonzero(has_vector), by_rare_label), (np.flatnonzero(~has_vector), by_label)):
            place, others = pairs_of(strongest_product(sp.csr_array(labels[rows_of]), proposing, LOOKED_AT * most))
            pairs.append((rows_of[place], others))
        there = np.flatnonzero(has_vector)
        place, at = np.nonzero((near := cells.nearest(chosen[there], LOOKED_AT * most)) >= 0)
        pairs.append((there[place], near[place, at]))
        return strongest_per_row(likenesses(own, chosen, own, pairs, label_share), most)

    # One after the other: searches and products share the cores among themselves.
    parts = [found(part) for part in runs(len(rows), CHUNK)]
    return sp.csr_array(sp.vstack(parts)) if parts else sp.csr_array((0, len(lends)), dtype=np.float32)


def holders_of(labels: sp.csr_array, lends: Mask, label_share: float) -> tuple[sp.csr_array, sp.csr_array]:
    """The lenders of each label, by its weight in their `labels`, shape (n, l), times `label_share`: shape (l, n), CSR, float32; and those
    of rare ones alone. What many have says little, and to look at all of them for each item is most of the work."""
    by_label = sp.csr_array((sp.diags_array(lends.astype(np.float32)) @ labels).T)
    by_label.eliminate_zeros()
    by_label.data *= np.float32(label_share)
    by_rare_label = sp.csr_array(sp.diags_array((np.diff(by_label.indptr) <= COMMON).astype(np.float32)) @ by_label)
    by_rare_label.eliminate_zeros()
    return by_label, by_rare_label


def _among_all(
    content: Content,
    rows: npt.NDArray[np.int64],
    lenders: npt.NDArray[np.int64],
    most: int,
    label_share: float,
    *,
    by_meaning: bool = True,
) -> sp.csr_array:
    """`neighbours` where every lender is looked at: both likenesses, or that in labels alone, as dense blocks."""
    n = len(content.has_vector)
    by_label = sp.csr_array(content.labels[lenders].T)
    by_meaning = by_meaning and bool(content.vectors.dimension)
    if by_meaning:
        vectors = content.vectors.gather(lenders.astype(np.int32))
        vectors *= content.has_vector[lenders, None]
    parts = []
    step = max(1, DENSE_CELLS // max(len(lenders), 1))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        alike = sp.csr_array(content.labels[part] @ by_label).toarray() * np.float32(label_share)
        if by_meaning:
            own = content.vectors.gather(part.astype(np.int32)) * content.has_vector[part, None]
            alike += np.maximum(own @ vectors.T, 0)
        near = strongest_of_dense(alike, most)
        parts.append(sp.csr_array((near.data, lenders[near.indices].astype(np.int32), near.indptr), shape=(len(part), n)))
    return sp.csr_array(sp.vstack(parts)) if parts else sp.csr_array((0, n), dtype=np.float32)


def pairs_of(alike: sp.csr_array) -> Pairs:
    return np.repeat(np.arange(alike.shape[0]), np.diff(alike.indptr)), alike.indices


def likenesses(own: Compared, rows: Rows, others: Compared, pairs: list[Pairs], label_share: float) -> sp.csr_array:
    """Both likenesses of `rows`, shape (r,), of what is `own`, with `others` in `pairs` of a place among `rows` and a row of theirs, each
    counted once: shape (r, n)."""
    n = len(others.has_vector)
    keys = np.concatenate([place * np.int64(n) + other for place, other in pairs])
    # Sorted by the processor's widest registers, where `np.unique` would look each up in a table.
    keys.sort()
    keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    place, theirs = keys // n, (keys % n).astype(np.int32)

    def alike(part: slice) -> Floats:
        return _alike(*own, *others, rows[place[part]], theirs[part], np.float32(label_share))

    found = np.concatenate([np.zeros(0, dtype=np.float32), *shared(alike, runs(len(keys), PAIRS))])
    return sp.csr_array((found, theirs, np.searchsorted(place, np.arange(len(rows) + 1)).astype(np.int32)), shape=(len(rows), n))


@compiled
def _alike(
    own_halves: npt.NDArray[np.int16],
    own_has_vector: Mask,
    own_offsets: npt.NDArray[np.int32],
    own_labels: Rows,
    own_weights: Floats,
    halves: npt.NDArray[np.int16],
    has_vector: Mask,
    offsets: npt.NDArray[np.int32],
    labels: Rows,
    weights: Floats,
    mine: Rows,
    theirs: Rows,
    label_share: np.float32,
) -> Floats:
    """Cosine, where it is above 0, plus `label_share` times the inner product of labels, sorted, for each pair of rows, shape (m,)."""
    found = np.zeros(len(mine), dtype=np.float32)
    widened, vector = np.int32(-1), np.zeros(halves.shape[1], dtype=np.float32)
    for pair in range(len(mine)):
        row, other = mine[pair], theirs[pair]
        if own_has_vector[row] and has_vector[other]:
            if row != widened:
                widened, vector = row, widened_rows(own_halves, mine[pair : pair + 1])[0]
            fetch_ahead(halves, theirs, pair)
            found[pair] = max(dot(halves[other], vector), np.float32(0))
        at, there, total = own_offsets[row], offsets[other], np.float32(0)
        while at < own_offsets[row + 1] and there < offsets[other + 1]:
            if own_labels[at] == labels[there]:
                total += own_weights[at] * weights[there]
                at, there = at + 1, there + 1
            elif own_labels[at] < labels[there]:
                at += 1
            else:
                there += 1
        found[pair] += label_share * total
    return found
