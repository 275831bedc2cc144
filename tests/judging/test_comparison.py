"""Variants side by side on the same people, and how sure the differences are."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from handmade import HOME, checkerboard, engine_of, number_of
from heldout import of_both_sides
from rich.console import Console

from recommender.judging import VARIANTS
from recommender.judging.comparison import Comparison, compare, comparison_table, shown_chance, shown_interval
from recommender.judging.replay import BLEND

ENGINE = engine_of(checkerboard())


def test_on_the_checkerboard_taste_beats_popularity() -> None:
    comparison = compare(ENGINE, of_both_sides(80), HOME)
    means = {name: judgement.intervals["ndcg@10"].mean for name, judgement in comparison.judgements.items()}
    assert min(means[name] for name in ("content", "collaborative", "item_item", "blend")) > means["popularity"]
    assert comparison.blend_over("popularity").low > 0
    assert comparison.best_part not in ("popularity", "blend")


def test_a_comparison_reads_as_a_table() -> None:
    done: list[tuple[int, int]] = []
    comparison = compare(ENGINE, of_both_sides(20), HOME, progress=lambda at, total: done.append((at, total)))
    assert done == [(20 * turn, 20 * len(VARIANTS)) for turn in range(1, len(VARIANTS) + 1)]
    table = comparison_table(comparison, "Twenty people")
    assert list(table.columns[0].cells) == list(VARIANTS)
    lead, chance = shown_interval(comparison.blend_over("popularity"), signed=True), shown_chance(comparison.p_values()["popularity"])
    cells = [cell for column in table.columns for cell in column.cells]
    assert lead in cells
    assert chance in cells
    console = Console(width=80, file=StringIO())
    console.print(table)
    assert "…" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_chances_are_corrected_for_the_number_of_variants() -> None:
    comparison = compare(ENGINE, of_both_sides(40), HOME)
    corrected = comparison.p_values()
    assert list(corrected) == [name for name in VARIANTS if name != BLEND]
    alone = Comparison(comparison.held_out, {name: comparison.judgements[name] for name in ("popularity", BLEND)}).p_values()
    assert alone["popularity"] == pytest.approx(1 / 10_001)
    assert corrected["popularity"] == pytest.approx(len(corrected) / 10_001)
    assert all(0 < chance <= 1 for chance in corrected.values())


def test_people_without_an_area_play_no_part_in_comparing_it() -> None:
    people = of_both_sides(20)
    some = [np.array([number_of(row) for row in range(40)], dtype=np.uint32), people.targets[1]]
    people = replace(people, candidates=[some[person % 2] for person in range(20)])
    comparison = compare(ENGINE, people, HOME, variants=("popularity", BLEND))
    ours, theirs = (comparison.judgements[name].values["auc"] for name in (BLEND, "popularity"))
    assert comparison.judgements[BLEND].overall["auc_excluded"] == np.isnan(ours).sum() > 0
    assert comparison.blend_over("popularity", metric="auc").mean == pytest.approx(np.nanmean(ours - theirs))
    assert 0 < comparison.p_values(metric="auc")["popularity"] <= 1


def test_chances_read_short() -> None:
    assert [shown_chance(p) for p in (0.0001, 0.001, 0.0344, 1.0)] == ["<.001", ".001", ".034", "1.000"]
