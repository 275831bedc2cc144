"""A vector index in files whose pages processes share.

FAISS maps vectors out of an index file, but reads inverted lists into each process's own memory: a hundred bytes an item. Its lists on
disk are mapped, and hold whatever codes an index goes by, those of fast scan as well; so the compressed list has a file of its own.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from recommender.mapped_arrays import mapped_array

VECTORS_FILE = "vectors.faiss"
COMPRESSED_FILE = "compressed.npy"
"""Shape (b,), uint8: the blocks of codes of the compressed list, then its row numbers, int64; none where there is no such list."""


def write_index(index: faiss.Index, folder: Path) -> None:
    """Write the two files of `index`: vectors alone, or under one compressed list, of fast-scan codes.

    Raises OSError or RuntimeError where they cannot be written.
    """
    compressed, listed = np.zeros(0, dtype=np.uint8), _listed(index)
    if listed is None:
        faiss.write_index(index, str(folder / VECTORS_FILE))
    else:
        lists = faiss.downcast_InvertedLists(listed.invlists)
        codes = faiss.rev_swig_ptr(lists.get_codes(0), _bytes_of_codes(listed))
        compressed = np.concatenate([codes, faiss.rev_swig_ptr(lists.get_ids(0), listed.ntotal).view(np.uint8)])
        none, owned = faiss.BlockInvertedLists(1, listed.bbs, listed.bbs * listed.M2 // 2), listed.own_invlists
        listed.own_invlists = False
        listed.replace_invlists(none, False)
        try:
            faiss.write_index(index, str(folder / VECTORS_FILE))
        finally:
            listed.replace_invlists(lists, owned)
    np.save(folder / COMPRESSED_FILE, compressed, allow_pickle=False)


def map_index(folder: Path) -> faiss.Index:
    """The index of `write_index`, its vectors and its compressed list mapped into memory, which processes that do so share.

    Raises OSError, EOFError, ValueError or RuntimeError where a file is missing or malformed.
    """
    index = faiss.read_index(str(folder / VECTORS_FILE), faiss.IO_FLAG_MMAP_IFC)
    path, listed = folder / COMPRESSED_FILE, _listed(index)
    compressed = mapped_array(path)
    rows = 0 if listed is None else listed.ntotal
    wanted = 0 if listed is None else _bytes_of_codes(listed) + 8 * rows
    if compressed.dtype != np.uint8 or compressed.shape != (wanted,):
        raise ValueError(f"{COMPRESSED_FILE} holds {compressed.shape} of {compressed.dtype}, {VECTORS_FILE} needs ({wanted},) of uint8")
    if listed is not None:
        lists, one = faiss.OnDiskInvertedLists(), faiss.OnDiskOneList()
        one.size, one.capacity = rows, _bytes_of_codes(listed) // listed.code_size
        one.offset = path.stat().st_size - wanted
        lists.nlist, lists.code_size, lists.read_only = 1, listed.code_size, True
        lists.filename, lists.totsize = str(path), path.stat().st_size
        # There is nothing to fetch ahead, for which FAISS would start threads.
        lists.prefetch_nthread = 0
        lists.lists.push_back(one)
        lists.do_mmap()
        lists.this.disown()
        listed.replace_invlists(lists, True)
    return index


def _listed(index: faiss.Index) -> faiss.IndexIVFPQFastScan | None:
    return faiss.downcast_index(index.base_index) if isinstance(index, faiss.IndexRefine) else None


def _bytes_of_codes(listed: faiss.IndexIVFPQFastScan) -> int:
    """The bytes of all codes: those of as many rows as whole blocks hold."""
    size: int = -(-listed.ntotal // listed.bbs) * listed.bbs * listed.M2 // 2
    return size
