"""The contents of a generation: the catalogue as columns, the vectors, and what was learnt, one row per item.

The same object is made by a build and by loading, so that what is judged is what is served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recommender.alike_lists import AlikeLists
from recommender.generation.catalogue import Catalogue
from recommender.graph_filter import ItemSpectrum
from recommender.index_files import COMPRESSED_FILE, VECTORS_FILE
from recommender.lists import Lists, sections_of
from recommender.mapped_arrays import mapped_array
from recommender.ranking.blend import Blend, blend_arrays, blend_of
from recommender.ranking.features import ItemFacts
from recommender.search.query_encoder import ENCODER_FILES, QueryEncoder
from recommender.search.word_index import WORD_ARRAYS, WordIndex
from recommender.sequence_model import ARRAYS as SEQUENCE
from recommender.sequence_model import SequenceModel
from recommender.vectors import VectorIndex

ITEMS_FILE = "items.arrow"
ITEM_ITEM = ("item_item", "transitions", "co_occurrence", "transfer")
"""Fields that are lists; each is stored as three arrays."""
SPECTRUM = ("vectors", "into", "out_of", "gains")
ARRAYS = (
    "id_hashes",
    "id_rows",
    "row_of_number",
    "has_vector",
    "near",
    "factors",
    "confidence",
    *(f"{name}_{part}" for name in ITEM_ITEM for part in ("offsets", "rows", "weights")),
    *(f"graph_{part}" for part in SPECTRUM),
    *(f"sequence_{part}" for part in (*SEQUENCE, "heads", "usual")),
    "popularity",
    "recent_popularity",
    "response",
    "first_at",
    "counting",
    "lender_worth",
    "label_share",
    "stories",
    *(f"alike_{part}" for part in AlikeLists._fields),
    *(f"words_{part}" for part in WORD_ARRAYS),
    *blend_arrays(None),
)

NO_LISTS = AlikeLists.none(0)


def not_counted() -> npt.NDArray[np.float64]:
    """What stands for popularity that was not counted."""
    return np.zeros(3)


def nothing_lent() -> npt.NDArray[np.float32]:
    """What stands for items of which none lends, however many there are."""
    return np.zeros(0, dtype=np.float32)


def no_stories() -> npt.NDArray[np.int32]:
    """What stands for items of which each tells what no other does, however many there are."""
    return np.zeros(0, dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Contents:
    """What n items look like to the sources. Rows are in order of item number.

    `has_vector`: shape (n,), bool. `factors`: shape (n, f), float32, zeros for items without events, learnt with `confidence` for
    one unit of weight. `item_item`, `transitions`, `co_occurrence`: lists: row j holds what one unit of
    weight on item j adds to the score of each other item; `transfer`, likewise, what one unit of item–item score on j lends.
    `graph`: the items' spectrum. `sequence`: what says which item comes next. `popularity` and `recent_popularity`: shape (n,),
    float32, decayed sums of positive event weights, ≥ 0. `response`: shape (n,), float32, how often an item is taken up when it is
    shown, over all items' rate, 0 for never shown. `first_at`: shape (n,), int64, µs of an item's first event, `MISSING_TIME` for
    none. `counting`: shape (3,), float64: the half-lives of popularity and recent popularity in days, and the moment as of which both were
    counted, µs; zeros where nothing was. `blend`: how sources are blended, None where
    none was learned. `alike`: what is like each item by all of that; left out, no lists. `lender_worth`: shape (n,), float32, what an item
    that lends by `transfer` is worth to whatever is like it, 0 for what does not lend, and `label_share`, what likeness in labels counts
    beside that in meaning: by these items that come after a build borrow too. `stories`: shape (n,), int32, the row of the first item that
    tells the very same, -1 for what nothing else tells; or shape (0,), where none do. `words`: the lexical index; left out, one in which
    nothing is found. `encoder`: what makes vectors of queries; left out, nothing.
    """

    catalogue: Catalogue
    vectors: VectorIndex
    has_vector: npt.NDArray[np.bool_]
    factors: npt.NDArray[np.float32]
    confidence: float
    item_item: Lists
    transitions: Lists
    co_occurrence: Lists
    transfer: Lists
    graph: ItemSpectrum
    sequence: SequenceModel
    popularity: npt.NDArray[np.float32]
    recent_popularity: npt.NDArray[np.float32]
    response: npt.NDArray[np.float32]
    first_at: npt.NDArray[np.int64]
    counting: npt.NDArray[np.float64] = field(default_factory=not_counted)
    blend: Blend | None = None
    alike: AlikeLists = NO_LISTS
    lender_worth: npt.NDArray[np.float32] = field(default_factory=nothing_lent)
    label_share: float = 1.0
    stories: npt.NDArray[np.int32] = field(default_factory=no_stories)
    words: WordIndex = field(default_factory=WordIndex.none)
    encoder: QueryEncoder = field(default_factory=QueryEncoder.none)

    def __post_init__(self) -> None:
        n = self.catalogue.n
        if self.alike is NO_LISTS:
            object.__setattr__(self, "alike", AlikeLists.none(n))
        if not (self.stories >= 0).any():
            object.__setattr__(self, "stories", no_stories())
        if not len(self.lender_worth):
            object.__setattr__(self, "lender_worth", np.zeros(n, dtype=np.float32))
        for name, shape in (
            ("vectors", (self.vectors.size,)),
            ("has_vector", self.has_vector.shape),
            ("factors", self.factors.shape[:1]),
            *((name, (getattr(self, name).n,)) for name in ITEM_ITEM),
            ("graph", self.graph.into.shape),
            ("sequence", self.sequence.bias.shape),
            ("popularity", self.popularity.shape),
            ("recent_popularity", self.recent_popularity.shape),
            ("response", self.response.shape),
            ("first_at", self.first_at.shape),
            ("lender_worth", self.lender_worth.shape),
            *((f"alike {part}", array.shape[:1]) for part, array in self.alike._asdict().items()),
        ):
            if shape != (n,):
                raise ValueError(f"{name} has {shape[0]} rows, the catalogue has {n}")

    def learnt_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All numbers that were learnt, by name."""
        return {
            "factors": self.factors,
            **{name: getattr(self, name).values for name in ITEM_ITEM},
            **{f"graph_{part}": getattr(self.graph, part) for part in SPECTRUM},
            **{f"sequence_{part}": getattr(self.sequence, part) for part in SEQUENCE},
            "popularity": self.popularity,
            "recent_popularity": self.recent_popularity,
            "response": self.response,
        }

    @cached_property
    def facts(self) -> ItemFacts:
        """What the ranker goes by, apart from what sources say."""
        return ItemFacts(self.catalogue, self.vectors, self.has_vector, self.popularity, self.recent_popularity, self.first_at)

    def write(self, folder: Path) -> None:
        """Write all files into the existing `folder`."""
        with pa.OSFile(str(folder / ITEMS_FILE), "wb") as sink, pa.ipc.new_file(sink, self.catalogue.table.schema) as writer:
            writer.write_table(self.catalogue.table)
        self.vectors.write(folder)
        self.encoder.write(folder)
        for name, array in self._arrays().items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)

    def _arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        return {
            "id_hashes": self.catalogue.id_hashes,
            "id_rows": self.catalogue.id_rows,
            "row_of_number": self.catalogue.row_of_number,
            "has_vector": self.has_vector,
            "near": self.vectors.near,
            "factors": self.factors.astype(np.float16, copy=False),
            "confidence": np.array([self.confidence], dtype=np.float64),
            **{name: array for field in ITEM_ITEM for name, array in _list_arrays(field, getattr(self, field)).items()},
            **{f"graph_{part}": getattr(self.graph, part) for part in SPECTRUM},
            "graph_vectors": self.graph.vectors.astype(np.float16, copy=False),
            **{f"sequence_{part}": getattr(self.sequence, part) for part in SEQUENCE},
            "sequence_items": self.sequence.items.astype(np.float16, copy=False),
            "sequence_heads": np.array([self.sequence.heads], dtype=np.int64),
            "sequence_usual": np.array([self.sequence.usual], dtype=np.float64),
            "popularity": self.popularity,
            "recent_popularity": self.recent_popularity,
            "response": self.response,
            "first_at": self.first_at,
            "counting": self.counting,
            "lender_worth": self.lender_worth,
            "label_share": np.array([self.label_share], dtype=np.float64),
            "stories": self.stories,
            **{f"alike_{part}": array for part, array in self.alike._asdict().items()},
            **{f"words_{part}": array for part, array in self.words.arrays().items()},
            **blend_arrays(self.blend),
        }

    @classmethod
    def read(cls, folder: Path) -> Contents:
        """Map all files of `folder` into memory. Raises OSError, EOFError, ValueError or RuntimeError for missing or malformed ones."""
        arrays = {name: mapped_array(folder / f"{name}.npy") for name in ARRAYS}
        with pa.memory_map(str(folder / ITEMS_FILE)) as source:
            table = pa.ipc.open_file(source).read_all()
        catalogue = Catalogue(table, arrays["id_hashes"], arrays["id_rows"], arrays["row_of_number"])
        return cls(
            catalogue=catalogue,
            vectors=VectorIndex.read(folder, arrays["near"]),
            has_vector=arrays["has_vector"],
            factors=arrays["factors"],
            confidence=float(arrays["confidence"][0]),
            **{field: _lists_of(field, arrays, catalogue.n) for field in ITEM_ITEM},
            graph=ItemSpectrum(**{part: arrays[f"graph_{part}"] for part in SPECTRUM}),
            sequence=SequenceModel(
                **{part: arrays[f"sequence_{part}"] for part in SEQUENCE},
                heads=int(arrays["sequence_heads"][0]),
                usual=float(arrays["sequence_usual"][0]),
            ),
            popularity=arrays["popularity"],
            recent_popularity=arrays["recent_popularity"],
            response=arrays["response"],
            first_at=arrays["first_at"],
            counting=arrays["counting"],
            blend=blend_of(arrays),
            lender_worth=arrays["lender_worth"],
            label_share=float(arrays["label_share"][0]),
            stories=arrays["stories"],
            words=WordIndex.from_arrays({part: arrays[f"words_{part}"] for part in WORD_ARRAYS}),
            encoder=QueryEncoder.read(folder),
            alike=AlikeLists(**{part: arrays[f"alike_{part}"] for part in AlikeLists._fields}),
        )


def _list_arrays(name: str, lists: Lists) -> dict[str, npt.NDArray[np.generic]]:
    return {f"{name}_offsets": lists.offsets, f"{name}_rows": lists.lows, f"{name}_weights": lists.values}


def _lists_of(name: str, arrays: Mapping[str, npt.NDArray[np.generic]], n: int) -> Lists:
    offsets, lows = arrays[f"{name}_offsets"].astype(np.int32, copy=False), arrays[f"{name}_rows"].astype(np.uint16, copy=False)
    return Lists(offsets, lows, arrays[f"{name}_weights"].astype(np.float16, copy=False).view(np.int16), sections_of(n))


def file_names() -> Sequence[str]:
    """The files that `Contents.write` makes."""
    return (ITEMS_FILE, VECTORS_FILE, COMPRESSED_FILE, *ENCODER_FILES, *(f"{name}.npy" for name in ARRAYS))
