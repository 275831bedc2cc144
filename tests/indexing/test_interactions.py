"""The training matrix against arithmetic by hand; items are numbered from 1, so item n stands in column n − 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from indexing.interactions import interaction_matrix, positive_part
from recommender.events import EventType
from recommender.profile import BuildSettings, EventWeights

NONE = float("nan")
SETTINGS = BuildSettings(half_life_days=10)


def dense(tables: Any, rows: list[tuple[int, int, EventType, float, float]], *, items: int = 3, settings: BuildSettings = SETTINGS) -> Any:
    return interaction_matrix(tables.events(rows), tables.catalogue(items), settings).toarray()


def test_every_type_weighs_what_the_settings_say(tables: Any) -> None:
    fields = {name: -place if name in ("dislike", "hide") else place for place, name in enumerate(EventWeights.model_fields, 1)}
    weights = EventWeights(**fields)
    settings = BuildSettings(event_weights=weights)
    rows = [(1, kind, kind, 0.0, NONE) for kind in EventType]
    assert set(EventWeights.model_fields) | {"impression"} == {kind.name.lower() for kind in EventType}
    expected = [fields.get(kind.name.lower(), 0) for kind in EventType]
    np.testing.assert_allclose(dense(tables, rows, items=13, settings=settings), [expected])


def test_a_type_that_weighs_nothing_makes_no_entry(tables: Any) -> None:
    matrix = interaction_matrix(
        tables.events([(1, 1, EventType.CUSTOM, 0, NONE), (1, 2, EventType.LIKE, 0, NONE)]), tables.catalogue(2), SETTINGS
    )
    assert matrix.nnz == 1


def test_reads_and_watches_count_by_their_portion(tables: Any) -> None:
    rows = [(1, 1, EventType.WATCH, 0, 0.25), (1, 2, EventType.READ, 0, 1.0), (1, 3, EventType.WATCH, 0, NONE)]
    np.testing.assert_allclose(dense(tables, rows), [[0.25, 1, 1]])


def test_a_watch_of_nothing_is_no_interaction(tables: Any) -> None:
    matrix = interaction_matrix(tables.events([(1, 1, EventType.WATCH, 0, 0.0)]), tables.catalogue(1), SETTINGS)
    assert matrix.shape == (0, 1)


def test_the_value_of_other_events_is_no_portion(tables: Any) -> None:
    assert dense(tables, [(1, 1, EventType.PURCHASE, 0, 0.2)])[0, 0] == 1.5


def test_an_event_fades_by_half_with_each_half_life_before_the_newest(tables: Any) -> None:
    rows = [(1, 1, EventType.READ, 30, NONE), (1, 2, EventType.READ, 20, NONE), (2, 3, EventType.READ, 0, NONE)]
    faded = np.array([1, 0.05 + 0.95 * 0.5, 0.05 + 0.95 * 0.125])
    one, half, eighth = faded / faded.mean()
    np.testing.assert_allclose(dense(tables, rows), [[one, half, 0], [0, 0, eighth]], rtol=1e-6)


def test_a_few_new_events_do_not_erase_an_old_archive(tables: Any) -> None:
    archive = [(person, 1 + person % 2, EventType.READ, 0, NONE) for person in range(1, 101)]
    matrix = dense(tables, [*archive, (200, 3, EventType.READ, 10_000, NONE)])
    assert matrix[:100].max() == pytest.approx(0.05 / (0.05 * 100 / 101 + 1 / 101), rel=1e-5)
    assert matrix[100, 2] == pytest.approx(20 * matrix[:100].max(), rel=1e-5)


def test_people_stand_in_order_of_their_numbers(tables: Any) -> None:
    rows = [(90, 1, EventType.LIKE, 0, NONE), (7, 2, EventType.LIKE, 0, NONE)]
    np.testing.assert_allclose(dense(tables, rows), [[0, 1.5, 0], [1.5, 0, 0]])


def test_of_several_events_with_one_item_the_strongest_counts_as_new_as_the_newest(tables: Any) -> None:
    rows = [(1, 1, EventType.PURCHASE, 0, NONE), (1, 1, EventType.VIEW, 10, NONE), (2, 2, EventType.VIEW, 20, NONE)]
    faded = np.array([0.05 + 0.95 * 0.5, 1])
    older, newest = faded / faded.mean()
    np.testing.assert_allclose(dense(tables, rows), [[1.5 * older, 0, 0], [0, 0.5 * newest, 0]], rtol=1e-6)


def test_a_dismissal_at_the_end_overrules_what_was_liked_before(tables: Any) -> None:
    rows = [
        (1, 1, EventType.LIKE, 0, NONE),
        (1, 1, EventType.DISLIKE, 0.5, NONE),
        (1, 2, EventType.HIDE, 0, NONE),
        (1, 2, EventType.LIKE, 0.5, NONE),
    ]
    matrix = dense(tables, rows, settings=BuildSettings())
    assert matrix[0, 0] == pytest.approx(-0.5)
    assert matrix[0, 1] == pytest.approx(1.5)


def test_dismissals_are_left_out_of_the_positive_part(tables: Any) -> None:
    rows = [(1, 1, EventType.DISLIKE, 0, NONE), (1, 2, EventType.LIKE, 0, NONE)]
    matrix = interaction_matrix(tables.events(rows), tables.catalogue(2), SETTINGS)
    assert positive_part(matrix).toarray().tolist() == [[0, 1.5]]
    assert matrix.toarray().tolist() == [[-0.5, 1.5]]


def test_only_the_newest_events_of_a_person_are_learnt_from(tables: Any) -> None:
    rows = [(1, item, EventType.READ, float(item), NONE) for item in range(1, 601)] + [(2, 1, EventType.READ, 0, NONE)]
    matrix = interaction_matrix(tables.events(rows), tables.catalogue(600), BuildSettings())
    assert np.flatnonzero(matrix[[0]].toarray()[0]).tolist() == list(range(100, 600))
    assert matrix[[1]].nnz == 1


def test_impressions_do_not_use_up_a_persons_limit(tables: Any) -> None:
    rows = [(1, 1, EventType.LIKE, 0, NONE), *((1, 2, EventType.IMPRESSION, day, NONE) for day in range(1, 9))]
    assert dense(tables, rows, settings=SETTINGS.model_copy(update={"person_limit": 3, "half_life_days": 1e5}))[0, 0] == pytest.approx(1.5)


def test_items_that_the_catalogue_lacks_are_left_out(tables: Any) -> None:
    rows = [(1, 1, EventType.LIKE, 0, NONE), (1, 4, EventType.LIKE, 0, NONE), (2, 4_000_000_000, EventType.LIKE, 0, NONE)]
    matrix = interaction_matrix(tables.events(rows), tables.catalogue(3), SETTINGS)
    assert matrix.shape == (1, 3)
    assert matrix.nnz == 1


def test_no_events_give_a_matrix_of_nobody(tables: Any) -> None:
    matrix = interaction_matrix(tables.events([]), tables.catalogue(3), SETTINGS)
    assert matrix.shape == (0, 3)
