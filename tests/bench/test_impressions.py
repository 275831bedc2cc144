"""Impressions judged as they were lived: nothing of what is to come, counts of each step, and a set whose right order is known."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade import HOME, contents_of, engine_of
from tiny_sets import run

from eval.bench.discovery import discover
from eval.bench.impressions import Lived, for_slates, impression_events, measure_impressions, with_shows
from eval.bench.quality import Scope
from eval.bench.result import Result
from eval.datasets.dataset import SECOND_US
from eval.datasets.impressions import Impressions
from eval.datasets.mind import read_mind
from indexing.counting import counts
from indexing.progress import reporter
from recommender.errors import InvalidInput
from recommender.events import EventType
from recommender.generation.catalogue import Catalogue
from recommender.items import ItemState
from recommender.judging import VARIANTS
from recommender.profile import Blending, BuildSettings, Collaborative, Popularity

SETTINGS = BuildSettings(
    collaborative=Collaborative(factors=4),
    popularity=Popularity(half_life_days=30, recent_half_life_days=3),
    blending=Blending(fewest=20, ranker="never", cuts=1),
)
"""Popularity that lasts, so that what draws clicks today is not simply popular."""
NEWS, SHOWN, IMPRESSIONS = 40, 8, 300


def write_world(folder: Path, *, impressions: int = IMPRESSIONS) -> Path:
    """People who click the one good news of eight that they are shown; every sixth of all news is good, as long as the day lasts.

    Other news is shown just as often, and found elsewhere by many: so it is popular, but not what is taken up when it is shown.
    """
    rng = np.random.default_rng(4)
    lines = []
    for place in range(impressions):
        day, minute = divmod(place * 20, 24 * 60)
        good = [news for news in range(NEWS) if news % 6 == day % 6]
        wanted = int(rng.choice(good))
        others = rng.choice([news for news in range(NEWS) if news not in good], SHOWN - 1, replace=False).tolist()
        marks = [f"N{wanted}-1", *(f"N{news}-0" for news in others)]
        if place % 50 == 7:
            marks = [f"N{news}-0" for news in others]
        hour = minute // 60
        at = f"11/{9 + day}/2019 {hour % 12 or 12}:{minute % 60:02}:00 {'AM' if hour < 12 else 'PM'}"
        read = " ".join(f"N{news}" for news in rng.choice([n for n in range(NEWS) if n % 6 == 5], 2, replace=False))
        lines.append(f"{place}\tU{place % 90}\t{at}\t{read}\t{' '.join(rng.permutation(marks))}\n")
    folder.mkdir(parents=True)
    (folder / "behaviors.tsv").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("sets") / "mind-sample")


def log_of_two() -> Impressions:
    """Two impressions: of items 0 and 1, the latter clicked, and of items 1 and 2, both clicked."""
    return Impressions(
        np.array([3, 5], dtype=np.uint32),
        np.array([10, 20]),
        np.array([0, 2, 4]),
        np.array([0, 1, 1, 2], dtype=np.uint32),
        np.array([False, True, True, True]),
    )


def test_an_impression_becomes_a_show_of_each_item_and_then_a_click_of_each_clicked_one() -> None:
    events = impression_events(log_of_two())
    assert list(zip(events.person.tolist(), events.item.tolist(), events.type.tolist(), events.at.tolist(), strict=True)) == [
        (3, 0, EventType.IMPRESSION, 10),
        (3, 1, EventType.IMPRESSION, 10),
        (3, 1, EventType.CLICK, 10),
        (5, 1, EventType.IMPRESSION, 20),
        (5, 2, EventType.IMPRESSION, 20),
        (5, 1, EventType.CLICK, 20),
        (5, 2, EventType.CLICK, 20),
    ]


def test_shows_stand_beside_all_clicks_each_once(world: Path) -> None:
    dataset = read_mind(world)
    events = with_shows(dataset)
    assert dataset.impressions is not None
    assert np.count_nonzero(events.type == EventType.IMPRESSION) == len(dataset.impressions.item)
    assert len(events.acted()) == len(dataset.events)


def test_no_step_knows_what_is_yet_to_come(world: Path) -> None:
    dataset = read_mind(world)
    assert dataset.impressions is not None
    lived, shown = Lived.of(dataset, SETTINGS, 3_600), dataset.impressions
    catalogue = Catalogue.of([(number, ItemState.LIVE, item) for number, item in enumerate(dataset.items)])
    engine = engine_of(contents_of(dataset.items))
    engine = engine_of(replace(engine.contents, catalogue=catalogue))
    start, end = (int(dataset.impressions.at[int(share * IMPRESSIONS)]) for share in (0.5, 0.6))
    seen, events = 0, impression_events(shown)
    for counted, held_out in lived.steps(engine, lived.between(start, end)):
        before = counts(events.before(held_out.cut), catalogue, SETTINGS)
        np.testing.assert_array_equal(counted.contents.response, before.response)
        np.testing.assert_array_equal(counted.contents.popularity, before.popularity)
        assert held_out.moments is not None
        assert held_out.cut % (3_600 * SECOND_US) == 0
        for history, moment in zip(held_out.histories, held_out.moments.tolist(), strict=True):
            assert held_out.cut <= moment < held_out.cut + 3_600 * SECOND_US
            assert (history["at"] < moment).all()
            assert len(history) >= 2
        seen += len(held_out)
    assert seen == np.count_nonzero(lived.has_order & (shown.at >= start) & (shown.at < end))
    assert not engine.contents.response.any()


def test_what_is_not_an_order_is_left_out(world: Path) -> None:
    lived = Lived.of(read_mind(world), SETTINGS, 300)
    assert np.flatnonzero(~lived.has_order).tolist() == list(range(7, IMPRESSIONS, 50))


def test_impressions_are_ranked_in_full_read_before_or_not(world: Path) -> None:
    impressions = read_mind(world).impressions
    assert impressions is not None
    slates = for_slates(HOME.model_copy(update={"candidates": 10}), impressions)
    assert (slates.repeat, slates.candidates, slates.ranker_depth) == ("allowed", 10, 10)
    assert for_slates(HOME, impressions).candidates == HOME.candidates


def test_a_set_without_impressions_is_refused(world: Path) -> None:
    with pytest.raises(InvalidInput, match="a set that says what was shown"):
        Lived.of(replace(read_mind(world), impressions=None), SETTINGS, 300)


def measured(folder: Path, cache: Path, *, people: int = 2_000, ablate: bool = False, step_s: int = 300) -> Result:
    [benchmark] = discover(folder).benchmarks
    told: list[int] = []
    scope = Scope(people, ablate)
    result = measure_impressions(benchmark, cache, SETTINGS, HOME, reporter(io.StringIO()), scope, told.append, step_s=step_s)
    assert told == [result.queries]
    return result


@pytest.fixture(scope="module")
def judged(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The world's set, as `measured` measures it by itself."""
    return measured(world, tmp_path_factory.mktemp("cache"))


def test_what_is_taken_up_when_it_is_shown_is_found_where_popularity_finds_something_else(world: Path, tmp_path: Path) -> None:
    result = measured(world, tmp_path, ablate=True)
    assert result.queries == np.count_nonzero(Lived.of(read_mind(world), SETTINGS, 300).has_order[int(0.8 * IMPRESSIONS) :])
    assert set(result.singles) == set(VARIANTS)
    assert result.best == "response"
    assert result.singles["response"].mean > result.singles["popularity"].mean + 0.1
    lead, p = result.leads["popularity"]
    assert lead.low > 0
    assert p < 0.01
    area, over, *others = result.rows
    assert [row.measure.metric for row in others] == ["mrr@100", "ndcg@5", "ndcg@10"]
    assert over.interval.mean == pytest.approx(area.interval.mean - result.singles["popularity"].mean)
    assert over.verdict == "reached"
    assert result.without["response"][0].low > 0
    assert result.notes[1].endswith("1 impressions with no or only clicks left out")
    assert any(note.startswith("the blend of feeds") for note in result.notes)


def test_sources_are_compared_on_a_sample_and_the_blend_is_judged_on_all(judged: Result, world: Path, tmp_path: Path) -> None:
    result, whole = measured(world, tmp_path, people=20), judged
    assert (result.sampled, result.queries) == (20, whole.queries)
    assert result.rows[0].interval == whole.rows[0].interval
    assert {group.queries for group in result.cold_start.values()} == {20}
    assert sum(group.queries for group in result.by_length.values()) == 20


def test_counts_that_are_taken_seldom_know_less(judged: Result, world: Path, tmp_path: Path) -> None:
    often, seldom = judged, measured(world, tmp_path, step_s=5 * 24 * 3_600)
    assert often.singles["response"].mean > seldom.singles["response"].mean


def test_the_command_shows_and_logs_the_set(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [result] = run(world.parent, ["mind"], tmp_path, settings=SETTINGS, people=10).results
    _, entry = [json.loads(line) for line in (tmp_path / "log" / "looks.jsonl").read_text(encoding="utf-8").splitlines()]
    assert entry["set"] == "mind"
    assert entry["auc"] == round(result.rows[0].interval.mean, 5)
    assert json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["sets"][0]["notes"] == list(result.notes)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Counts taken every 300 s" in shown
    assert all(word in shown for word in ("AUC over", "popularity", "p < .05"))


def test_of_two_folders_the_second_is_judged_and_the_first_learnt_from(world: Path, tmp_path: Path) -> None:
    lines = (world / "behaviors.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    for name, part in (("small_train", lines[:220]), ("small_dev", lines[220:])):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "behaviors.tsv").write_text("".join(part), encoding="utf-8")
    [benchmark] = discover(tmp_path / "data").benchmarks
    assert (benchmark.name, benchmark.leading) == ("small", "auc")
    lived = Lived.of(benchmark.read(), SETTINGS, 300)
    inner, cut, end = lived.cuts
    assert cut == lived.impressions.at[220]
    assert inner == lived.impressions.at[int(0.6 / 0.8 * 220)]
    assert end > lived.impressions.at[-1]
    result = measured(tmp_path / "data", tmp_path)
    assert result.queries == np.count_nonzero(lived.has_order[220:])
    assert result.leads["popularity"][0].low > 0
