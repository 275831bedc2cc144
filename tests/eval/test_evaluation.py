"""`recommender eval`: settings judged on the store's own events, cut in time, publishing nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from worlds import NOW, World

from eval.evaluation import evaluate
from indexing.progress import Lines
from recommender.cli import run
from recommender.errors import InvalidInput
from recommender.generation import Generations
from recommender.placements import Placement
from recommender.times import to_micros

HOME = Placement(name="home")


def test_the_blend_beats_popularity_where_tastes_are_clear(world: World) -> None:
    result = evaluate(world.settings, world.build, HOME, Lines(StringIO()))
    assert result.comparison.blend_over("popularity").low > 0
    assert set(result.comparison.judgements) == {"popularity", "content", "collaborative", "item_item", "blend"}
    people = len(result.comparison.held_out)
    assert people == sum(count for count, _ in result.by_length.values())
    mean = sum(count * interval.mean for count, interval in result.by_length.values()) / people
    assert mean == pytest.approx(result.comparison.judgements["blend"].intervals["ndcg@10"].mean)


def test_what_lies_after_the_end_plays_no_part(world: World) -> None:
    until, cut = to_micros(NOW - timedelta(days=6)), to_micros(NOW - timedelta(days=12))
    result = evaluate(world.settings, world.build, HOME, Lines(StringIO()), cut=cut, until=until)
    assert result.protocol.cut == cut
    assert all((history["at"] < until).all() for history in result.comparison.held_out.histories)
    with pytest.raises(InvalidInput, match="until"):
        evaluate(world.settings, world.build, HOME, Lines(StringIO()), cut=until, until=cut)


def test_revealing_nothing_judges_on_what_was_known_at_the_cut(world: World) -> None:
    result = evaluate(world.settings, world.build, HOME, Lines(StringIO()), reveal=0.0)
    assert all((history["at"] < result.protocol.cut).all() for history in result.comparison.held_out.histories)


def test_a_cut_after_the_last_event_leaves_nobody_to_judge_and_says_so(world: World) -> None:
    with pytest.raises(InvalidInput, match="cut"):
        evaluate(world.settings, world.build, HOME, Lines(StringIO()), cut=to_micros(NOW))


def test_two_evaluations_of_the_same_store_give_the_same_figures(world: World) -> None:
    first, second = (evaluate(world.settings, world.build, HOME, Lines(StringIO())) for _ in range(2))
    for name, judgement in first.comparison.judgements.items():
        for metric, values in judgement.values.items():
            assert np.array_equal(values, second.comparison.judgements[name].values[metric])


def test_the_command_prints_a_table_and_writes_json_and_publishes_nothing(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Generations(world.settings.generations_path).ids()
    build, report = tmp_path / "build.toml", tmp_path / "report.json"
    build.write_text(f'embedder = "{world.build.embedder}"\n', encoding="utf-8")
    assert run(["eval", "--data", str(world.data), "--build", str(build), "--json", str(report)]) == 0
    printed = capsys.readouterr().out
    figures = json.loads(report.read_text(encoding="utf-8"))
    assert f"{figures['variants']['blend']['ndcg@10']['mean']:.4f}".removeprefix("0") in printed
    assert figures["blend_over"]["popularity"]["low"] > 0
    assert Generations(world.settings.generations_path).ids() == before


def test_the_command_names_an_unknown_placement_and_a_bad_time(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "--data", str(world.data), "--placement", "moon"]) == 1
    assert "there are: home" in capsys.readouterr().err
    assert run(["eval", "--data", str(world.data), "--cut", "yesterday"]) == 1
    assert "--cut: given 'yesterday'" in capsys.readouterr().err
