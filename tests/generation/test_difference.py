"""Two generations side by side: what was changed between them is found, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade import NOW, contents_of
from worlds import films

from recommender.errors import NotFound
from recommender.generation import Contents, FileEntry, GateCheck, Generations, Manifest, Metric
from recommender.generation.catalogue import Catalogue
from recommender.generation.difference import difference_of
from recommender.items import Item, ItemKind, ItemState
from recommender.profile import BuildSettings, Collaborative
from recommender.vectors import VectorIndex

Numbered = Sequence[tuple[int, ItemState, Item]]


def numbered(items: Sequence[Item]) -> list[tuple[int, ItemState, Item]]:
    return [(number, ItemState.LIVE, item) for number, item in enumerate(items, 1)]


class Folder:
    """Publishes catalogues by hand; each generation is a minute later than the one before."""

    def __init__(self, root: Path) -> None:
        self.generations = Generations(root)
        self.published = 0

    def add(self, items: Numbered, *, settings: BuildSettings | None = None, vectors: np.ndarray | None = None, **fields: Any) -> str:
        made = contents_of([item for _, _, item in items])
        index = made.vectors if vectors is None else VectorIndex.build(vectors, exact_limit=1_000, seed=0)
        contents: Contents = replace(made, catalogue=Catalogue.of(items), vectors=index)
        profile = settings or BuildSettings()
        now = NOW + timedelta(minutes=self.published)
        self.published += 1

        def describe(generation_id: str, files: dict[str, FileEntry]) -> Manifest:
            given = {"metrics": (), "checks": (), "libraries": {"numpy": "2.4.6"}, **fields}
            return Manifest(
                id=generation_id,
                created_at=now,
                parent=None,
                items=len(items),
                events=0,
                watermark=1,
                profile=profile.model_dump(mode="json"),
                profile_hash=profile.hash,
                embedder="by hand",
                dimension=index.dimension,
                seed=0,
                judged="nothing",
                files=files,
                **given,
            )

        return self.generations.add(contents, describe, now=now).id


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_same_catalogue_and_settings_differ_in_nothing(folder: Folder) -> None:
    items = numbered(films(12))
    diff = difference_of(folder.generations, folder.add(items), folder.add(items))
    assert (diff.settings, diff.libraries) == ({}, {})
    assert [what.count for what in (diff.added, diff.removed, diff.changed, diff.embedded)] == [0, 0, 0, 0]


def test_items_that_came_went_and_changed_are_told_by_their_ids(folder: Folder) -> None:
    before = numbered(films(12))
    after = [*before[1:], (13, ItemState.LIVE, Item("new", ItemKind.MEDIA, title="New"))]
    after[0] = (2, ItemState.LIVE, replace(before[1][2], title="Renamed"))
    diff = difference_of(folder.generations, folder.add(before), folder.add(after))
    assert (diff.added.count, diff.added.ids) == (1, ("new",))
    assert (diff.removed.count, diff.removed.ids) == (1, ("film-0",))
    assert (diff.changed.count, diff.changed.ids) == (1, ("film-1",))


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "Another"},
        {"kind": ItemKind.PRODUCT},
        {"categories": ("space", "older")},
        {"categories": ()},
        {"tags": ("one",)},
        {"language": "de"},
        {"author": ""},
        {"price": None},
        {"price": 7.5},
        {"published_at": None},
        {"valid_from": NOW},
        {"attributes": {"year": 1963, "classic": True, "colour": "red"}},
        {"attributes": {"year": 1963.5, "classic": True}},
        {"attributes": {"year": "1963", "classic": True}},
        {"attributes": {}},
    ],
    ids=str,
)
def test_a_change_of_anything_that_is_shown_or_filtered_by_is_a_change(folder: Folder, changed: dict[str, Any]) -> None:
    before = numbered(films(6))
    after = list(before)
    after[3] = (4, ItemState.LIVE, replace(before[3][2], **changed))
    diff = difference_of(folder.generations, folder.add(before), folder.add(after))
    assert diff.changed.ids == ("film-3",)
    assert difference_of(folder.generations, *folder.generations.ids()).changed.ids == ("film-3",)


def test_a_hidden_item_has_changed_and_its_number_is_what_it_is_known_by(folder: Folder) -> None:
    before = numbered(films(6))
    after = [(number, ItemState.HIDDEN if number == 2 else state, item) for number, state, item in before]
    assert difference_of(folder.generations, folder.add(before), folder.add(after)).changed.ids == ("film-1",)
    # An id that was deleted and came again is another item.
    again = [(number + 10, state, item) for number, state, item in before]
    diff = difference_of(folder.generations, folder.add(before), folder.add(again))
    assert (diff.added.count, diff.removed.count, diff.changed.count) == (6, 6, 0)


def test_changed_vectors_are_counted_where_they_can_be_compared(folder: Folder) -> None:
    items = numbered(films(6))
    vectors = np.eye(6, dtype=np.float32)
    moved = vectors.copy()
    moved[2] = vectors[3]
    first, second = folder.add(items, vectors=vectors), folder.add(items, vectors=moved)
    assert difference_of(folder.generations, first, second).embedded.ids == ("film-2",)
    other = folder.add(items, vectors=np.eye(6, 8, dtype=np.float32))
    assert difference_of(folder.generations, first, other).embedded.count == 0


def test_of_many_items_the_first_are_named_and_all_are_counted(folder: Folder) -> None:
    before, after = numbered(films(40)), numbered([replace(film, brand="new") for film in films(40)])
    diff = difference_of(folder.generations, folder.add(before), folder.add(after))
    assert diff.changed.count == 40
    assert diff.changed.ids == tuple(f"film-{number}" for number in range(20))


def test_settings_libraries_figures_and_checks_stand_side_by_side(folder: Folder) -> None:
    items = numbered(films(4))
    metric, check = Metric(name="blend/ndcg@10", mean=0.5, low=0.4, high=0.6), GateCheck(name="items", passed=True, message="4")
    first = folder.add(items, metrics=(metric,), checks=(check,))
    settings = BuildSettings(collaborative=Collaborative(factors=7), seed=3)
    better = metric.model_copy(update={"mean": 0.55})
    second = folder.add(items, settings=settings, metrics=(better,), checks=(check.model_copy(update={"name": "new"}),), libraries={})
    diff = difference_of(folder.generations, first, second)
    assert diff.settings == {"collaborative.factors": (256, 7), "seed": (0, 3)}
    assert diff.libraries == {"numpy": ("2.4.6", None)}
    assert diff.metrics == {"blend/ndcg@10": (metric, better)}
    assert {name: [each is not None for each in pair] for name, pair in diff.checks.items()} == {
        "items": [True, False],
        "new": [False, True],
    }


def test_a_generation_that_does_not_exist_is_named(folder: Folder) -> None:
    only = folder.add(numbered(films(4)))
    with pytest.raises(NotFound, match="20990101T000000-00000000"):
        difference_of(folder.generations, only, "20990101T000000-00000000")
