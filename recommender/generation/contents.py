"""The contents of a generation: the catalogue as columns, the vectors, and what was learnt, one row per item.

The same object is made by a build and by loading, so that what is judged is what is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp

from recommender.generation.catalogue import Catalogue
from recommender.vectors import VectorIndex

ITEMS_FILE = "items.arrow"
VECTORS_FILE = "vectors.faiss"
ARRAYS = (
    "id_hashes",
    "id_rows",
    "row_of_number",
    "has_vector",
    "factors",
    "item_item_offsets",
    "item_item_rows",
    "item_item_weights",
    "popularity",
)


@dataclass(frozen=True, eq=False)
class Contents:
    """What n items look like to the sources. Rows are in order of item number.

    `has_vector`: shape (n,), bool. `factors`: shape (n, f), float32, zeros for items without events. `item_item`: shape
    (n, n), CSR, float32: row j holds what one unit of weight on item j adds to the score of each other item. `popularity`:
    shape (n,), float32, decayed sum of positive event weights, ≥ 0.
    """

    catalogue: Catalogue
    vectors: VectorIndex
    has_vector: npt.NDArray[np.bool_]
    factors: npt.NDArray[np.float32]
    item_item: sp.csr_array
    popularity: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n = self.catalogue.n
        for name, shape in (
            ("vectors", (self.vectors.size,)),
            ("has_vector", self.has_vector.shape),
            ("factors", self.factors.shape[:1]),
            ("item_item", self.item_item.shape[:1]),
            ("popularity", self.popularity.shape),
        ):
            if shape != (n,):
                raise ValueError(f"{name} has {shape[0]} rows, the catalogue has {n}")

    def write(self, folder: Path) -> None:
        """Write all files into the existing `folder`."""
        with pa.OSFile(str(folder / ITEMS_FILE), "wb") as sink, pa.ipc.new_file(sink, self.catalogue.table.schema) as writer:
            writer.write_table(self.catalogue.table)
        self.vectors.write(folder / VECTORS_FILE)
        for name, array in self._arrays().items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)

    def _arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        return {
            "id_hashes": self.catalogue.id_hashes,
            "id_rows": self.catalogue.id_rows,
            "row_of_number": self.catalogue.row_of_number,
            "has_vector": self.has_vector,
            "factors": self.factors,
            "item_item_offsets": self.item_item.indptr.astype(np.int64),
            "item_item_rows": self.item_item.indices.astype(np.int32),
            "item_item_weights": self.item_item.data.astype(np.float32),
            "popularity": self.popularity,
        }

    @classmethod
    def read(cls, folder: Path) -> Contents:
        """Map all files of `folder` into memory. Raises OSError, EOFError, ValueError or RuntimeError for missing or malformed ones."""
        # Plain arrays over the mapped files: np.memmap itself makes every indexing slower.
        arrays = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)) for name in ARRAYS}
        with pa.memory_map(str(folder / ITEMS_FILE)) as source:
            table = pa.ipc.open_file(source).read_all()
        catalogue = Catalogue(table, arrays["id_hashes"], arrays["id_rows"], arrays["row_of_number"])
        n = catalogue.n
        item_item = sp.csr_array(
            (arrays["item_item_weights"], arrays["item_item_rows"], arrays["item_item_offsets"].astype(np.int32)), shape=(n, n), copy=False
        )
        return cls(
            catalogue=catalogue,
            vectors=VectorIndex.read(folder / VECTORS_FILE),
            has_vector=arrays["has_vector"],
            factors=arrays["factors"],
            item_item=item_item,
            popularity=arrays["popularity"],
        )


def file_names() -> Sequence[str]:
    """The files that `Contents.write` makes."""
    return (ITEMS_FILE, VECTORS_FILE, *(f"{name}.npy" for name in ARRAYS))
