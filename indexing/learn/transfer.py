"""Content-to-behaviour transfer: items that nobody consumed yet are scored as their neighbours in content are.

A new item is like some that people know, and what leads people to those leads them to it. So it borrows the item–item scores of
its nearest neighbours in meaning and in labels (after attribute-to-feature mappings, Gantner et al., ICDM 2010, with neighbours
in place of a learnt map, which keep what is particular to each).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.learn.blocks import runs
from indexing.learn.degrees import column_sums
from indexing.learn.strongest import strongest_of_dense, strongest_per_row
from indexing.learn.sums import strongest_product
from recommender.columns import StringColumn, StringListColumn
from recommender.cores import shared
from recommender.generation.catalogue import Catalogue
from recommender.profile import Transfer
from recommender.vectors import VectorIndex

LABELS = ("categories", "tags", "author", "brand")
CHUNK = 2_048
PAIRS = 2**13
"""Pairs of items whose likenesses are taken at a time."""
ALL_LOOKED_AT = 50_000
"""So many lenders are compared with every borrower; with more, blocks of likenesses would take longer than a search."""
DENSE_CELLS = 2**23
"""Likenesses held at a time, 4 bytes each."""
SAMPLE = 600
"""Lenders from which it is told how much likeness in labels tells apart."""
LOOKED_AT = 2
"""So many times the neighbours are looked at by meaning and by labels each, before both together decide."""


@dataclass(frozen=True, eq=False)
class Content:
    """What n items are like: `vectors` of those in `has_vector`, shape (n,), and `labels` as rows of length 1 or 0, shape (n, l)."""

    vectors: VectorIndex
    has_vector: npt.NDArray[np.bool_]
    labels: sp.csr_array


def label_vectors(catalogue: Catalogue) -> sp.csr_array:
    """Labels of each item as TF-IDF vectors of length 1, shape (n, labels), CSR, float32; a label of one item alone says nothing."""
    blocks = []
    for name in LABELS:
        column = catalogue.column(name)
        if isinstance(column, StringListColumn):
            codes, offsets, count = column.codes, column.offsets, len(column.values)
        else:
            assert isinstance(column, StringColumn)
            codes, count = column.codes[column.codes >= 0], len(column.values)
            offsets = np.concatenate([[0], np.cumsum(column.codes >= 0)])
        blocks.append(sp.csr_array((np.ones(len(codes), dtype=np.float32), codes, offsets), shape=(catalogue.n, count)))
    labels = sp.csr_array(sp.hstack(blocks))
    labels.sum_duplicates()
    holders = np.bincount(labels.indices, minlength=labels.shape[1])
    rarity = np.where(holders > 1, np.log((catalogue.n + 1) / (holders + 0.5)), 0)
    labels.data = rarity[labels.indices].astype(np.float32)
    labels.eliminate_zeros()
    lengths = np.sqrt(np.asarray(labels.power(2).sum(axis=1)).ravel())
    labels.data /= np.repeat(lengths, np.diff(labels.indptr)).astype(np.float32)
    return labels


def transfer_weights(
    catalogue: Catalogue, vectors: VectorIndex, has_vector: npt.NDArray[np.bool_], matrix: sp.csr_array, settings: Transfer
) -> sp.csr_array:
    """What item–item scores of some items lend to others, shape (n, n), CSR, float32: row w holds what lender w gives to each borrower.

    `matrix`: people by items, from which items with less than `fewest` of weight borrow and the others lend. A lender's share of a
    borrower is its likeness above that of the first neighbour left out; shares sum to 1 and are divided by the lender's degree to
    `degree_exponent`. That is free of the scale and the offset of likenesses.
    """
    n = catalogue.n
    degrees = column_sums(matrix)
    lends = degrees >= settings.fewest
    borrowers, lenders = np.flatnonzero(~lends), np.flatnonzero(lends)
    if not len(borrowers) or not len(lenders):
        return sp.csr_array((n, n), dtype=np.float32)
    content = Content(vectors, has_vector, label_vectors(catalogue))
    share = settings.label_share * label_weight(content, lenders, lends, settings.neighbours)
    near = neighbours(content, borrowers, lends, settings.neighbours + 1, share)
    shares = above_last(near, settings.neighbours)
    shares.data *= (degrees[shares.indices] ** -settings.degree_exponent).astype(np.float32)
    coo = shares.tocoo()
    weights = sp.csr_array((coo.data, (coo.col, borrowers[coo.row].astype(np.int32))), shape=(n, n))
    weights.sort_indices()
    return weights


def label_weight(content: Content, lenders: npt.NDArray[np.int64], lends: npt.NDArray[np.bool_], most: int) -> float:
    """Weight by which likeness in labels tells neighbours apart as much as likeness in meaning does; 1 where one of them is missing.

    Measured on a sample of the lenders: how far, on average, the nearest `most` stand above the first one left out.
    """
    sample = lenders[np.linspace(0, len(lenders) - 1, min(SAMPLE, len(lenders))).astype(np.int64)]
    spreads = []
    for share, by_meaning in ((0.0, True), (1.0, False)):
        near = neighbours(content, sample, lends, most + 2, share, by_meaning=by_meaning)
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


def neighbours(
    content: Content,
    rows: npt.NDArray[np.int64],
    lends: npt.NDArray[np.bool_],
    most: int,
    label_share: float,
    *,
    by_meaning: bool = True,
) -> sp.csr_array:
    """Likeness of the `most` lenders nearest to each of `rows`, shape (r, n), CSR, float32, above 0.

    Likenesses in meaning (unless told otherwise) and in labels, these multiplied by `label_share`, decide together. Of more than
    `ALL_LOOKED_AT` lenders only those are looked at that are nearest by one of both.
    """
    lenders = np.flatnonzero(lends)
    if len(lenders) <= ALL_LOOKED_AT:
        return _among_all(content, rows, lenders, most, label_share, by_meaning=by_meaning)
    by_label = sp.csr_array((sp.diags_array(lends.astype(np.float32)) @ content.labels).T)
    by_label.eliminate_zeros()
    by_label.data *= np.float32(label_share)

    def found(part: slice) -> sp.csr_array:
        chosen = rows[part]
        labels = sp.csr_array(content.labels[chosen])
        if not by_meaning:
            return strongest_product(labels, by_label, most)
        labelled = strongest_product(labels, by_label, LOOKED_AT * most)
        return strongest_per_row(_with_meaning(content, chosen, lends, labelled, LOOKED_AT * most, label_share), most)

    # One after the other: searches and products share the cores among themselves.
    parts = [found(part) for part in runs(len(rows), CHUNK)]
    return sp.csr_array(sp.vstack(parts)) if parts else sp.csr_array((0, len(lends)), dtype=np.float32)


def _among_all(
    content: Content,
    rows: npt.NDArray[np.int64],
    lenders: npt.NDArray[np.int64],
    most: int,
    label_share: float,
    *,
    by_meaning: bool,
) -> sp.csr_array:
    """`neighbours` where every lender is looked at: both likenesses as dense blocks."""
    n = len(content.has_vector)
    by_label = sp.csr_array(content.labels[lenders].T)
    by_meaning = by_meaning and bool(content.vectors.dimension)
    if by_meaning:
        vectors = content.vectors.gather(lenders.astype(np.int32)) * content.has_vector[lenders, None]
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


def _with_meaning(
    content: Content, rows: npt.NDArray[np.int64], lends: npt.NDArray[np.bool_], labelled: sp.csr_array, looked_at: int, label_share: float
) -> sp.csr_array:
    """`labelled`, what is nearest by labels, and what is nearest by meaning, with both likenesses of all that have a vector."""
    there = np.flatnonzero(content.has_vector[rows])
    allowed = lends & content.has_vector
    if not len(there) or not allowed.any():
        return labelled
    n = np.int64(len(lends))
    near, cosines, _ = content.vectors.search(content.vectors.gather(rows[there]), looked_at, allowed)
    place, at = np.nonzero(near >= 0)
    line, row, cosine = there[place], near[place, at], np.maximum(cosines[place, at], 0)
    alike = cosine + np.float32(label_share) * _in_pairs(rows[line], row, lambda mine, theirs: _labels_alike(content, mine, theirs))
    owner = np.repeat(np.arange(len(rows)), np.diff(labelled.indptr))
    meant = _in_pairs(rows[owner], labelled.indices, lambda mine, theirs: _cosines(content, mine, theirs))
    # Whatever is near by both stands in both, with the same likeness but for rounding.
    keys, first = np.unique(np.concatenate([line * n + row, owner * n + labelled.indices]), return_index=True)
    both = np.concatenate([alike, labelled.data + meant])[first]
    return sp.csr_array((both, (keys // n, (keys % n).astype(np.int32))), shape=labelled.shape)


def _in_pairs(
    mine: npt.NDArray[np.integer],
    theirs: npt.NDArray[np.integer],
    alike: Callable[[npt.NDArray[np.integer], npt.NDArray[np.integer]], npt.NDArray[np.float32]],
) -> npt.NDArray[np.float32]:
    """`alike` of each pair of `mine` and `theirs`, shape (m,), some of them at a time on each core."""
    parts = shared(lambda part: alike(mine[part], theirs[part]), runs(len(mine), PAIRS))
    return np.concatenate([np.zeros(0, dtype=np.float32), *parts])


def _labels_alike(content: Content, mine: npt.NDArray[np.integer], theirs: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    return np.asarray(content.labels[mine].multiply(content.labels[theirs]).sum(axis=1), dtype=np.float32).ravel()


def _cosines(content: Content, mine: npt.NDArray[np.integer], theirs: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """Cosines above 0, 0 where one of both has no vector."""
    both = content.has_vector[mine] & content.has_vector[theirs]
    cosines = np.zeros(len(mine), dtype=np.float32)
    cosines[both] = np.einsum("md,md->m", content.vectors.gather(mine[both]), content.vectors.gather(theirs[both]))
    return np.maximum(cosines, 0)
