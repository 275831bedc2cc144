"""Embedding vectors inside a FAISS index: stored once, searched with filters, and read back row by row.

Unit vectors are kept in half precision, so that inner product is cosine similarity within about 1e-3. Up to a size given at
build time all are scanned; above, a compressed fast-scan list proposes and the half-precision vectors decide.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from recommender.best import best_places
from recommender.kernels import widened

FAST_SCAN = "IVF1,PQ{segments}x4fs,Refine(SQfp16)"
REFINE_FACTOR = 4
REFINE_LEAST = 1_000
"""The compressed list proposes `REFINE_FACTOR` times what is asked for and at least so many; with four times ten, one in ten
of the true neighbours would be missed."""
GATHER_LIMIT = 4_096
"""With at most so many rows allowed, scoring just those beats any search."""

ROWS_AT_ONCE = 1_024
"""Rows whose neighbours are searched for together."""

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]


class VectorIndex:
    """Unit vectors of shape (n, d) in one FAISS index; row i of the generation is vector i (zeros where it has none).

    `near`: shape (n, k), int32: the k nearest other rows of each, nearest first, -1 where there are fewer; k is 0 where vectors are few
    enough to be compared with all of them.
    """

    def __init__(self, index: faiss.Index, near: Rows | None = None) -> None:
        self._index = index
        self.near: Rows = np.zeros((index.ntotal, 0), dtype=np.int32) if near is None else near
        self._refined = isinstance(index, faiss.IndexRefine)
        storage = faiss.downcast_index(index.refine_index) if self._refined else index
        # FAISS hands out no typed pointer to nothing.
        codes = faiss.rev_swig_ptr(storage.codes.data(), storage.codes.size()) if index.ntotal else np.zeros(0, dtype=np.uint8)
        # Bits rather than float16, which compiled loops do not know; inside a memory-mapped file they need not be aligned.
        self._codes: npt.NDArray[np.int16] = codes.view(np.int16).reshape(index.ntotal, index.d)

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
        made = cls(index)
        if compressed and near:
            made.near = made._nearest(np.any(vectors != 0, axis=1), near)
        return made

    @classmethod
    def read(cls, path: Path, near: Rows | None = None) -> VectorIndex:
        """Map the index file into memory; processes that do so share its pages."""
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), near)

    def _nearest(self, there: npt.NDArray[np.bool_], most: int) -> Rows:
        """The `most` nearest other rows of each row that is `there`, shape (n, most)."""
        near = np.full((len(there), most), -1, dtype=np.int32)
        rows = np.flatnonzero(there).astype(np.int32)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            found, _, _ = self.search(self.gather(part), most + 1, there)
            others = found != part[:, None]
            # A row is among its own nearest, unless as many others are its very like.
            others[others.all(axis=1), -1] = False
            near[part, : found.shape[1] - 1] = found[others].reshape(len(part), -1)
        return near

    def write(self, path: Path) -> None:
        """Write the index to one file."""
        faiss.write_index(self._index, str(path))

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
        return widened(self._codes, rows.ravel().astype(np.int32, copy=False)).reshape(*rows.shape, self.dimension)

    def cosines(self, rows: Rows, vectors: Floats) -> Floats:
        """Cosines of `rows`, shape (r,), int32, with unit `vectors`, shape (k, d), float32: shape (r, k)."""
        return self.gather(rows) @ vectors.T

    def search(self, queries: Floats, k: int, allowed: npt.NDArray[np.bool_]) -> tuple[Rows, Floats, str]:
        """The `k` nearest allowed rows of each query, best first.

        `queries`: shape (q, d); `allowed`: shape (n,). Returns rows and cosines, both of shape (q, ≤ k), row -1 where fewer are
        allowed, and how they were found: "exact" (every allowed vector compared) or "index".
        """
        passing = int(np.count_nonzero(allowed))
        k = min(k, passing)
        if k == 0:
            empty = (len(queries), 0)
            return np.zeros(empty, dtype=np.int32), np.zeros(empty, dtype=np.float32), "exact"
        if passing <= GATHER_LIMIT:
            places = np.flatnonzero(allowed)
            cosines = queries @ self.gather(places).T
            best = np.stack([best_places(line, k) for line in cosines])
            rows = places[best].astype(np.int32)
            found = np.take_along_axis(cosines, best, axis=1)
            order = np.lexsort((rows, -found), axis=1)
            return np.take_along_axis(rows, order, axis=1), np.take_along_axis(found, order, axis=1), "exact"
        bitmap = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(bitmap)
        if self._refined:
            base = faiss.IVFSearchParameters(nprobe=1, sel=selector)
            parameters = faiss.IndexRefineSearchParameters(k_factor=max(REFINE_FACTOR, REFINE_LEAST / k), base_index_params=base)
        else:
            parameters = faiss.SearchParameters(sel=selector)
        found, labels = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), k, params=parameters)
        return labels.astype(np.int32), found, "exact" if self.exact else "index"
