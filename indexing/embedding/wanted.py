"""What of an item decides its vector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from indexing.embedding.text import embedding_text
from recommender.items import Item

FILE = "wanted.arrow"


class Wanted(NamedTuple):
    """One item's `id`, the `text` that stands for it, "" for none, and its own `vector`, shape (d,), float32, where it brings one."""

    id: str
    text: str
    vector: npt.NDArray[np.float32] | None

    @classmethod
    def of(cls, item: Item) -> Wanted:
        """What of `item` decides its vector: its own one, or else its text."""
        return cls(item.id, "" if item.embedding is not None else embedding_text(item), item.embedding)


def write_wanted(wanted: Sequence[Wanted], folder: Path) -> None:
    """Write one file into the existing `folder`. Raises OSError where it cannot be written."""
    lengths = [0 if each.vector is None else len(each.vector) for each in wanted]
    flat = [each.vector for each in wanted if each.vector is not None]
    numbers = np.concatenate(flat) if flat else np.zeros(0, dtype=np.float32)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    table = pa.table(
        {
            "id": pa.array([each.id for each in wanted], type=pa.large_string()),
            "text": pa.array([each.text for each in wanted], type=pa.large_string()),
            "vector": pa.LargeListArray.from_arrays(pa.array(ends), pa.array(numbers)),
        }
    )
    with pa.OSFile(str(folder / FILE), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_wanted(folder: Path) -> list[Wanted]:
    """What `write_wanted` wrote. Raises OSError or ValueError for a missing or malformed file."""
    with pa.OSFile(str(folder / FILE), "rb") as source:
        table = pa.ipc.open_file(source).read_all().combine_chunks()
    vectors = table.column("vector")
    if not table.num_rows:
        return []
    lists = vectors.chunk(0)
    ends, numbers = lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=False)
    ids, texts = table.column("id").to_pylist(), table.column("text").to_pylist()
    # No item's own vector is empty.
    return [
        Wanted(item_id, text, numbers[start:stop] if stop > start else None)
        for item_id, text, start, stop in zip(ids, texts, ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    ]
