"""Ridge regressions of items on the items that explain most of them, a block of like items at a time."""

from __future__ import annotations

import faiss
import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp

from indexing.learn.blocks import runs
from indexing.learn.degrees import column_sums
from indexing.learn.ridge import factorised
from indexing.learn.singular_vectors import balanced, right_singular_vectors
from indexing.learn.strongest import strongest_of_dense, transposed
from recommender.compiling import compiled

BLOCK = 400
"""Items solved for at a time, at most half the reach: the inverse costs reach³/3 + reach² · block, so larger ones share more of
the first term, and leave less reach to each item."""
EMBEDDING = 64
ROUNDS = 8

Items = npt.NDArray[np.int32]
Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]


def local_ridge(scaled: sp.csr_array, penalty: float, inputs: int, *, reach: int, seed: int) -> sp.csr_array:
    """Weights between k items, shape (k, k), CSR, row j holding what item j says for others; diagonal zero.

    `scaled`: people by items, shape (p, k), float32, ≥ 0, each item with an entry. Each block is regressed on itself and on the
    items that explain most of it, `reach` items in all; within these the solution is exact, and where `reach` is at least k it
    is that of the dense form. For each item the `inputs` largest weights of others are kept.
    """
    k = scaled.shape[1]
    strengths = column_sums(scaled.power(2)) + penalty
    by_item, by_person = sp.csr_array(scaled.T), sp.csc_array(scaled)
    order = like_items(scaled, size=min(BLOCK, max(1, reach // 2)), seed=seed)
    by_target = []
    for block in order:
        near = explaining(by_item, scaled, strengths, block, reach)
        kept = strongest_of_dense(inputs_of(sp.csc_array(by_person[:, near]), penalty, len(block)), inputs)
        by_target.append(sp.csr_array((kept.data, near[kept.indices], kept.indptr), shape=(len(block), k)))
    by_source = transposed(by_target)
    # Targets came in the order of their blocks.
    return sp.csr_array((by_source.data, np.concatenate(order)[by_source.indices], by_source.indptr), shape=(k, k))


def like_items(scaled: sp.csr_array, *, size: int, seed: int) -> list[Items]:
    """All k items in blocks of at most `size`, each ascending: k-means on a low-rank embedding, then consecutive runs of it."""
    k = scaled.shape[1]
    groups = k // size
    group = np.zeros(k, dtype=np.int64)
    # One person's items are all alike.
    if groups > 1 and scaled.shape[0] > 1:
        values, vectors = right_singular_vectors(balanced(scaled), EMBEDDING, iterations=2, seed=seed)
        embedding = np.ascontiguousarray(vectors * values)
        embedding /= np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), np.float32(1e-9))
        means = faiss.Kmeans(
            embedding.shape[1], groups, niter=ROUNDS, seed=seed, spherical=True, min_points_per_centroid=1, max_points_per_centroid=k
        )
        means.train(embedding)
        group = means.index.search(embedding, 1)[1][:, 0]
    order = np.argsort(group, kind="stable").astype(np.int32)
    return [np.sort(order[part]) for part in runs(k, size)]


def explaining(by_item: sp.csr_array, scaled: sp.csr_array, strengths: npt.NDArray[np.float64], block: Items, reach: int) -> Items:
    """The items that explain most of those of the `block`, ascending, and after them the block: at most `reach` in all.

    `strengths`: |x_j|² + λ of every item, shape (k,). Item j alone explains (x_j·x_b)² / (|x_j|² + λ) of item b in a ridge
    regression, which is taken as a share of |x_b|² + λ and summed over the block. Without λ here, items that hardly anybody
    has would crowd out those whose weights count.
    """
    by_items, by_people = ((matrix.indptr, matrix.indices, matrix.data) for matrix in (by_item, scaled))
    shares = _explained(*by_items, *by_people, strengths, block) / strengths
    shares[block] = 0
    others = np.flatnonzero(shares > 0).astype(np.int32)
    others = others[np.argsort(-shares[others], kind="stable")[: max(reach - len(block), 0)]]
    return np.concatenate([np.sort(others), block])


@compiled
def _explained(
    ends: Integers,
    people: Integers,
    values: Floats,
    person_ends: Integers,
    items: Integers,
    weights: Floats,
    strengths: npt.NDArray[np.float64],
    block: Items,
) -> npt.NDArray[np.float64]:
    """Σ over items b of the `block` of (x_j·x_b)² over b's strength, for every item j, shape (k,); from items by people and people by
    items, both CSR."""
    k = len(strengths)
    explained, shared, seen, touched = np.zeros(k), np.zeros(k, dtype=np.float32), np.zeros(k, dtype=np.bool_), np.empty(k, dtype=np.int32)
    for item in block:
        count = 0
        for at in range(ends[item], ends[item + 1]):
            person, value = people[at], values[at]
            for place in range(person_ends[person], person_ends[person + 1]):
                other = items[place]
                if not seen[other]:
                    seen[other] = True
                    touched[count] = other
                    count += 1
                shared[other] += value * weights[place]
        for place in range(count):
            other = touched[place]
            explained[other] += np.float64(shared[other]) ** 2 / strengths[item]
            shared[other], seen[other] = 0, False
    return explained


def inputs_of(near: sp.csc_array, penalty: float, count: int) -> npt.NDArray[np.float32]:
    """What each of `near`'s items says for each of the last `count`: shape (count, r), from people by items of shape (p, r).

    Only these columns of P = (G + λI)⁻¹ are solved for. With G + λI = LLᵀ, they are L⁻ᵀ times the last columns of L⁻¹, which
    are zero but for the last rows, since L is triangular and the items asked for stand last.
    """
    factor = factorised(near, penalty)
    r = len(factor)
    invert, solve = scipy.linalg.get_lapack_funcs(("trtri", "trtrs"), (factor,))
    columns = np.zeros((r, count), dtype=factor.dtype, order="F")
    columns[r - count :] = np.tril(invert(factor[r - count :, r - count :], lower=True)[0])
    columns, _ = solve(factor, columns, lower=True, trans=1, overwrite_b=True)
    own = (np.arange(r - count, r), np.arange(count))
    columns /= -columns[own]
    columns[own] = 0
    return np.ascontiguousarray(columns.T, dtype=np.float32)
