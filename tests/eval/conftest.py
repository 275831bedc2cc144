"""One complete evaluation of the world of two tastes, which many tests look at, and evaluations made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap
from worlds import NOW, World

from eval.evaluation import Evaluation, Window, evaluate
from eval.material import Material, from_store
from eval.outputs.figures import Figures, figures_of
from eval.rival import Rival
from eval.splitting import Cutting
from indexing.progress import Lines
from recommender.event_table import EventTable
from recommender.events import Subject
from recommender.generation.catalogue import Catalogue
from recommender.items import Item, ItemState
from recommender.judging import HeldOut, Judgement, bootstrap_means, ndcg, recall
from recommender.judging.comparison import Comparison
from recommender.order import Order
from recommender.people import HISTORY_DTYPE
from recommender.placements import Placement, SourceWeights
from recommender.profile import Blending, BuildSettings
from recommender.times import to_micros

HOME = Placement(name="home")
HOSTILE = "<script>alert('$x^{')</script> & \"co\""
"""What somebody may have called a segment."""


def quiet() -> Lines:
    return Lines(StringIO())


@pytest.fixture(scope="session")
def material(world: World) -> Material:
    """The world's store."""
    return from_store(world.settings.store_path, quiet())


@pytest.fixture(scope="session")
def judge(world: World, material: Material) -> Callable[..., Evaluation]:
    """Evaluates the world's store by its own settings, cut as the arguments say."""

    def judged(*, build: BuildSettings = world.build, placement: Placement = HOME, on: Material = material, **more: object) -> Evaluation:
        cutting = Cutting(**{name: more.pop(name) for name in list(more) if name in Cutting.__dataclass_fields__})  # type: ignore[arg-type]
        return evaluate(on, build, placement, quiet(), cache=world.settings.cache_path, cutting=cutting, **more)  # type: ignore[arg-type]

    return judged


@pytest.fixture(scope="session")
def whole(judge: Callable[..., Evaluation], world: World, material: Material) -> Evaluation:
    """Everything that can be asked for at once: two windows, a learned blend with trees, a rival, segments of hostile names."""
    weights = SourceWeights(content=(0.0, 1.0, 1.0, 1.0), collaborative=(0.0,) * 4, item_item=(0.0,) * 4)
    return judge(
        build=world.build.model_copy(update={"blending": Blending(fewest=2, fewest_for_ranker=2, ranker="always")}),
        split="rolling",
        windows=2,
        ablate=True,
        curve=True,
        less_known=True,
        rival=Rival("<i>other</i>.toml", world.build, Placement(name="home", blend="weights", weights=weights)),
        segments={number: HOSTILE if number % 2 else "plain" for number in material.people},
    )


@pytest.fixture(scope="session")
def figures(whole: Evaluation) -> Figures:
    """The figures of `whole`."""
    return figures_of(whole)


@dataclass(frozen=True)
class Asked:
    """One query by hand: how long the history is, what was taken up and what each variant showed, all as item numbers."""

    person: int
    history: list[int]
    wanted: list[int]
    shown: Mapping[str, list[int]]
    at: int = to_micros(NOW)


def evaluation_of(
    items: list[Item], asked: list[Asked], counts: list[int] | None = None, segments: Mapping[int, str] | None = None
) -> Evaluation:
    """The evaluation in which these people were shown these lists; `counts`: training events of each item."""
    catalogue = Catalogue.of([(number, ItemState.LIVE, item) for number, item in enumerate(items)])
    histories = []
    for one in asked:
        history = np.zeros(len(one.history), dtype=HISTORY_DTYPE)
        history["item"] = one.history
        histories.append(history)
    held_out = HeldOut(
        people=np.array([one.person for one in asked], dtype=np.uint32),
        histories=histories,
        consumed=[BitMap(one.history) for one in asked],
        dismissed=[BitMap() for _ in asked],
        targets=[np.array(one.wanted, dtype=np.uint32) for one in asked],
        cut=to_micros(NOW),
        moments=np.array([one.at for one in asked], dtype=np.int64),
    )
    judgements = {name: _judgement(name, held_out, [one.shown[name] for one in asked]) for name in asked[0].shown}
    nobody = EventTable.sorted(*(np.zeros(0, dtype=kind) for kind in ("u4", "u4", "u1", "f4", "i8", "u1", "i8")))  # type: ignore[arg-type]
    people = {one.person: Subject.user(f"user-{one.person}") for one in asked}
    return Evaluation(
        Material("by hand", items, catalogue, nobody, Order.TIME, people),
        BuildSettings(),
        HOME,
        [Window("by time", held_out, 0, np.array(counts or [0] * len(items)), 0)],
        Comparison(held_out, judgements),
        None,
        segments=segments or {},
    )


def _judgement(name: str, held_out: HeldOut, shown: list[list[int]]) -> Judgement:
    lists = np.full((len(shown), 100), -1, dtype=np.int32)
    for line, numbers in enumerate(shown):
        lists[line, : len(numbers)] = numbers
    hits = np.array([np.isin(line, wanted) & (line >= 0) for line, wanted in zip(lists, held_out.targets, strict=True)])
    relevant = np.array([len(wanted) for wanted in held_out.targets])
    values = {"ndcg@10": ndcg(hits, relevant, 10), "recall@20": recall(hits, relevant, 20)}
    intervals = bootstrap_means(values, np.random.default_rng(0), people=held_out.people)
    scores = np.full(lists.shape, np.nan, dtype=np.float32)
    return Judgement(name, values, intervals, {"coverage@10": 0.5}, lists, hits, relevant, 1, scores)


@pytest.fixture
def by_hand() -> Callable[..., Evaluation]:
    """`evaluation_of`."""
    return evaluation_of


@pytest.fixture
def query() -> type[Asked]:
    """`Asked`."""
    return Asked


@pytest.fixture
def lists_of_ratings(tmp_path: Path) -> Path:
    """A folder in MovieLens's layout: 30 people, each of whom rates nine films of one genre in turn, with one hostile title."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    titles = ["<script>alert(1)</script> (1999)", *(f"Film {number} (2000)" for number in range(2, 25))]
    rows = [f'{number},"{title}",{"Comedy" if number % 2 else "Drama"}' for number, title in enumerate(titles, 1)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *rows]) + "\n", encoding="utf-8")
    ratings = [
        f"{person},{1 + person % 2 + 2 * ((person // 2 + step) % 12)},5.0,{1_000_000_000 + 86_400 * step + person}"
        for person in range(1, 31)
        for step in range(9)
    ]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *ratings]) + "\n", encoding="utf-8")
    return folder
