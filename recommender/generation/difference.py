"""What tells two generations apart: settings, counts, items, figures and checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recommender.generation.catalogue import Catalogue
from recommender.generation.folder import Generation
from recommender.generation.manifest import GateCheck, Manifest, Metric

NAMED = 20
"""Ids of items of each kind that are named at the most, those of the lowest numbers."""
_BETWEEN = "\x1f"
"""Stands between labels; a text that a person wrote holds none."""


@dataclass(frozen=True)
class Changed:
    """Items of one kind: how many, and the ids of the first of them."""

    count: int
    ids: tuple[str, ...]


@dataclass(frozen=True)
class GenerationDiff:
    """Generation `before` beside `after`.

    `settings`: by key what differs, None where one has no such setting; likewise `libraries`. `added`, `removed`: items that only the
    later or the earlier one has; `changed`: items of which anything that a catalogue shows or filters by differs; `embedded`: items whose
    vector differs, 0 of them where vectors cannot be compared. `metrics` and `checks`: by name, None where one has none of that name.
    """

    before: Manifest
    after: Manifest
    settings: Mapping[str, tuple[Any, Any]]
    libraries: Mapping[str, tuple[Any, Any]]
    added: Changed
    removed: Changed
    changed: Changed
    embedded: Changed
    metrics: Mapping[str, tuple[Metric | None, Metric | None]]
    checks: Mapping[str, tuple[GateCheck | None, GateCheck | None]]


class Loads(Protocol):
    """Where generations are, in the data folder or at a remote place."""

    def load(self, generation_id: str) -> Generation:
        """Load one of them."""
        ...


def difference_of(generations: Loads, before: str, after: str) -> GenerationDiff:
    """What tells the generations `before` and `after` apart. Raises `NotFound`, `CorruptGeneration` and what loading raises."""
    one, other = generations.load(before), generations.load(after)
    ours, theirs = one.contents.catalogue, other.contents.catalogue
    _, mine, its = np.intersect1d(ours.numbers, theirs.numbers, assume_unique=True, return_indices=True)
    differing = np.zeros(len(mine), dtype=np.bool_)
    for name in sorted({*ours.table.column_names, *theirs.table.column_names}):
        differing |= _differing(_column(ours, name, mine), _column(theirs, name, its))
    moved = np.zeros(len(mine), dtype=np.bool_)
    if one.manifest.dimension == other.manifest.dimension:
        moved = (one.contents.vectors.halves[mine] != other.contents.vectors.halves[its]).any(axis=1)
    only_theirs, only_ours = np.isin(theirs.numbers, ours.numbers, invert=True), np.isin(ours.numbers, theirs.numbers, invert=True)
    return GenerationDiff(
        before=one.manifest,
        after=other.manifest,
        settings=_apart(dict(_leaves(one.manifest.profile)), dict(_leaves(other.manifest.profile))),
        libraries=_apart(one.manifest.libraries, other.manifest.libraries),
        added=_items(theirs, np.flatnonzero(only_theirs)),
        removed=_items(ours, np.flatnonzero(only_ours)),
        changed=_items(theirs, its[differing]),
        embedded=_items(theirs, its[moved]),
        metrics=_side_by_side(one.manifest.metrics, other.manifest.metrics),
        checks=_side_by_side(one.manifest.checks, other.manifest.checks),
    )


def _items(catalogue: Catalogue, rows: npt.NDArray[np.intp]) -> Changed:
    return Changed(len(rows), tuple(card.item_id for card in catalogue.cards(rows[:NAMED])))


def _column(catalogue: Catalogue, name: str, rows: npt.NDArray[np.intp]) -> pa.Array:
    """A column at `rows` as plain values, labels of one item as one text; nulls where there is no such column."""
    if name not in catalogue.table.column_names:
        return pa.nulls(len(rows))
    column = catalogue.table.column(name).take(pa.array(rows)).combine_chunks()
    array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_list(array.type):
        texts = array.flatten().cast(pa.string())
        return pc.binary_join(pa.ListArray.from_arrays(_ends(array), texts), _BETWEEN)
    return array.cast(pa.string()) if pa.types.is_dictionary(array.type) else array


def _ends(array: pa.ListArray) -> pa.Array:
    """Offsets of the lists within their flattened values, which begin at 0."""
    return pa.array(np.concatenate([[0], np.cumsum(pc.list_value_length(array).to_numpy(zero_copy_only=False))]), type=pa.int32())


def _differing(ours: pa.Array, theirs: pa.Array) -> npt.NDArray[np.bool_]:
    """Where two columns hold different values, null being one of them, and NaN as well."""
    if ours.type != theirs.type:
        # One has no such column.
        return np.asarray(ours.is_valid().to_numpy(zero_copy_only=False) | theirs.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
    apart = pc.fill_null(pc.not_equal(ours, theirs), False)
    nulls = pc.not_equal(ours.is_null(nan_is_null=True), theirs.is_null(nan_is_null=True))
    both = pc.and_(ours.is_null(nan_is_null=True), theirs.is_null(nan_is_null=True))
    found = pc.or_(nulls, pc.and_not(apart, both))
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _leaves(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield before + name, value


def _apart(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = [*ours, *(name for name in theirs if name not in ours)]
    return {name: (ours.get(name), theirs.get(name)) for name in names if ours.get(name) != theirs.get(name)}


def _side_by_side(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> dict[str, tuple[Any, Any]]:
    mine, its = {each.name: each for each in ours}, {each.name: each for each in theirs}
    return {name: (mine.get(name), its.get(name)) for name in dict.fromkeys([*mine, *its])}
