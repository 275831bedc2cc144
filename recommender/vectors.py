"""Embedding vectors inside a FAISS index: stored once, searched with filters, and read back row by row.

Unit vectors are kept in half precision, so that inner product is cosine similarity within about 1e-3. Up to a size given at
build time all that are allowed are compared; above, a compressed fast-scan list proposes and the half-precision vectors decide. How
many it must propose depends on the vectors: it cannot tell near-duplicates apart. That is measured when the index is built, on
some of its vectors; where fewer are allowed, or so many would have to be proposed that comparing all is cheaper, all are compared.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from recommender.halves import nearest, products, widened
from recommender.index_files import map_index, write_index
from recommender.near_lists import near_lists
from recommender.recall import cosines_with, drawn_queries, recalls, thresholds

FAST_SCAN = "IVF1,PQ{segments}x4fs,Refine(SQfp16)"
FACTORS = (4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, float("inf"))
"""The compressed list proposes one of these times what is asked for; infinity stands for an index whose proposals are never enough."""
LEAST_ASKED = 250
"""Whoever asks for fewer gets proposals as for so many; with four times ten, one in ten of the true neighbours would be missed."""
SCANNED_PER_ROW = 16
"""The compressed list looks at so many rows in the time that comparing with one vector takes."""
ROWS_PER_PROPOSAL = 2
"""Keeping one proposal and comparing with its vector, wherever it lies, takes as long as comparing with so many that are allowed."""

WANTED_RECALL = 0.997
"""Proposals are enough when so many of the true neighbours are found, on average over measured queries, at every selectivity."""
MEASURED_QUERIES = 64
MEASURED_SIZES = (100, 500)
CELLS = 16
"""Recall is also measured among the vectors of half of so many cells, as filters tend to leave what is alike."""

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


class VectorIndex:
    """Unit vectors of shape (n, d) in one FAISS index; row i of the generation is vector i (zeros where it has none).

    `near`: shape (n, k), int32: the k nearest other rows of each, nearest first, -1 where there are fewer; k is 0 where vectors are few
    enough to be compared with all of them. `halves`: shape (n, d), int16: the vectors, as bits of numbers in half precision.
    """

    def __init__(self, index: faiss.Index, near: Rows | None = None) -> None:
        self._index = index
        self.near: Rows = np.zeros((index.ntotal, 0), dtype=np.int32) if near is None else near
        self._refined = isinstance(index, faiss.IndexRefine)
        storage = faiss.downcast_index(index.refine_index) if self._refined else index
        # FAISS hands out no typed pointer to nothing.
        codes = faiss.rev_swig_ptr(storage.codes.data(), storage.codes.size()) if index.ntotal else np.zeros(0, dtype=np.uint8)
        # The numbers' bits rather than float16: inside a memory-mapped file they need not be aligned.
        self.halves: npt.NDArray[np.int16] = codes.view(np.int16).reshape(index.ntotal, index.d)
        self._factor: float = index.k_factor if self._refined else float("inf")

    @classmethod
    def build(cls, vectors: Floats, *, exact_limit: int, seed: int, near: int = 0) -> VectorIndex:
        """Index `vectors`, shape (n, d), float32, unit rows or zero rows.

        Compressed when n > `exact_limit`, n ≥ 1,000 and d is even, and then with the `near` nearest rows of each. Training of the
        compressed index samples with `seed`.
        """
        n, d = vectors.shape
        compressed = n > exact_limit and d % 2 == 0 and n >= 1_000
        if compressed:
            index = faiss.index_factory(d, FAST_SCAN.format(segments=d // 2), faiss.METRIC_INNER_PRODUCT)
            faiss.downcast_index(index.base_index).pq.cp.seed = seed
            index.train(vectors)
        else:
            index = faiss.IndexScalarQuantizer(d, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
            index.train(vectors[:1])
        index.add(vectors)
        if not compressed:
            return cls(index)
        index.k_factor = FACTORS[0]
        made = cls(index)
        there = np.any(vectors != 0, axis=1)
        if near:
            made.near = near_lists(made.halves, there, near, seed)
        # FAISS keeps it in the file.
        index.k_factor = made._factor = made._factor_needed(vectors, np.flatnonzero(there).astype(np.int32), seed)
        return made

    @classmethod
    def read(cls, folder: Path, near: Rows | None = None) -> VectorIndex:
        """Map the index's files into memory; processes that do so share their pages. Raises what `map_index` does."""
        return cls(map_index(folder), near)

    def _factor_needed(self, vectors: Floats, there: Rows, seed: int) -> float:
        """The least of `FACTORS` with which what a search finds of `vectors`, shape (n, d), is what is nearest.

        Where the search with a factor compares with all that are allowed, it needs no larger one.
        """
        if not len(there):
            return FACTORS[0]
        rng = np.random.default_rng(seed)
        queries = drawn_queries(vectors, there, MEASURED_QUERIES, rng)
        cosines = cosines_with(vectors, queries)
        cell = cosines_with(vectors, vectors[rng.choice(there, CELLS)]).argmax(axis=0)
        everywhere = np.isin(np.arange(self.size), there)
        masks = (everywhere, everywhere & (cell < CELLS // 2), everywhere & (rng.random(self.size) < 0.5))
        asked = [(mask, k, thresholds(cosines, mask, k)) for mask in masks for k in MEASURED_SIZES if mask.sum() >= k]

        def enough(factor: float) -> bool:
            for mask, k, kth in asked:
                if self._proposing(k, int(mask.sum()), factor):
                    rows, _ = self._proposed(queries, k, mask, factor)
                    if recalls(cosines, kth, rows).mean() < WANTED_RECALL:
                        return False
            return True

        return next(factor for factor in FACTORS if enough(factor))

    def write(self, folder: Path) -> None:
        """Write the index, without the lists of what is near, into the existing `folder`. Raises what `write_index` does."""
        write_index(self._index, folder)

    @property
    def size(self) -> int:
        """Number of vectors n."""
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Length d of each vector."""
        return int(self._index.d)

    @property
    def exact(self) -> bool:
        """Whether a search compares with every vector."""
        return not self._refined

    def gather(self, rows: npt.NDArray[np.integer]) -> Floats:
        """The vectors of `rows`, shape rows.shape + (d,), float32."""
        return widened(self.halves, rows)

    def cosines(self, rows: Rows, vectors: Floats) -> Floats:
        """Cosines of `rows`, shape (r,), int32, with unit `vectors`, shape (k, d), float32: shape (r, k)."""
        return products(self.halves, rows, vectors).T

    @property
    def factor(self) -> float:
        """How many times what is asked for the compressed list proposes; infinity where all that are allowed are compared."""
        return self._factor

    def search(self, queries: Floats, k: int, allowed: Mask) -> tuple[Rows, Floats, str]:
        """The `k` nearest allowed rows of each query, best first, ties by row.

        `queries`: shape (q, d); `allowed`: shape (n,). Returns rows and cosines, both of shape (q, min(k, number of allowed rows)), and
        how they were found: "exact" (every allowed vector compared) or "index".
        """
        passing = int(np.count_nonzero(allowed))
        k = min(k, passing)
        if k and self._proposing(k, passing, self._factor):
            return *self._proposed(queries, k, allowed, self._factor), "index"
        return *nearest(self.halves, np.flatnonzero(allowed).astype(np.int32), queries, k), "exact"

    def _proposing(self, k: int, passing: int, factor: float) -> bool:
        """Whether the compressed list is cheaper than comparing with all vectors that are allowed."""
        return passing > self.size / SCANNED_PER_ROW + ROWS_PER_PROPOSAL * factor * max(k, LEAST_ASKED)

    def _proposed(self, queries: Floats, k: int, allowed: Mask, factor: float) -> tuple[Rows, Floats]:
        """The `k` best of what the compressed list proposes."""
        bitmap = np.packbits(allowed, bitorder="little")
        base = faiss.IVFSearchParameters(nprobe=1, sel=faiss.IDSelectorBitmap(bitmap))
        parameters = faiss.IndexRefineSearchParameters(k_factor=max(factor, factor * LEAST_ASKED / k), base_index_params=base)
        _, labels = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), k, params=parameters)
        rows = labels.astype(np.int32)
        # Summed up as everywhere else, so that equal vectors have equal cosines however they were found.
        cosines = np.empty(rows.shape, dtype=np.float32)
        for place, line in enumerate(rows):
            cosines[place] = products(self.halves, line, queries[place : place + 1])
        order = np.lexsort((rows, -cosines), axis=1)
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(cosines, order, axis=1)
