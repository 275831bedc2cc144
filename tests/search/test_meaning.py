"""Search by meaning: the model of a real build, exported, beside the model itself; what changed since; filters."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade import unit
from worlds import World

from indexing.embedding import find_embedder, query_encoder
from recommender.cores import cores
from recommender.engine import Recommender
from recommender.errors import RecommenderError
from recommender.feeds import Query
from recommender.generation import Generations
from recommender.items import Item, ItemKind, ItemState
from recommender.placements import Placements
from recommender.profile import BuildSettings
from recommender.search.query_encoder import ENCODER_FILES, LONG, WEIGHTS_FILE, QueryEncoder
from recommender.segments import Delta
from recommender.sources import ContentSource
from recommender.vectors import VectorIndex

PLACEMENT = Placements.default().get("").model_copy(update={"repeat": "allowed", "fallback": "none"})


def engine_of(world: World) -> Recommender:
    generations = Generations(world.settings.generations_path)
    current = generations.current_id()
    assert current is not None
    return Recommender.of(generations.load(current))


def found(engine: Recommender, text: str, world: World, **wanted: object) -> tuple[list[int], str]:
    query = Query(placement=PLACEMENT, size=10, text=text, **wanted)  # type: ignore[arg-type]
    [feed] = engine.feeds([query], now=world.outcome.manifest.created_at)
    assert not feed.degraded
    return feed.numbers.tolist(), feed.retrieval_mode


def test_a_build_exports_its_model_and_the_export_is_the_model(world: World, model: Path) -> None:
    encoder = engine_of(world).contents.encoder
    assert encoder.there
    texts = ["robot", "robot garden", "a text of none of its words", "love " * 300]
    own = find_embedder(str(model)).load().encode(texts)
    for text, wanted in zip(texts, own, strict=True):
        assert encoder.vector(text) @ wanted == pytest.approx(1, abs=5e-3)


def test_what_is_near_in_meaning_is_found_without_a_word_in_common(world: World) -> None:
    engine = engine_of(world)
    catalogue, vectors = engine.contents.catalogue, engine.contents.vectors
    vector = engine.contents.encoder.vector("robot")
    cosines = vectors.gather(np.arange(catalogue.n)) @ vector
    numbers, mode = found(engine, "robot", world)
    assert mode in ("exact", "index")
    assert cosines[catalogue.rows_of(numbers[0])] > np.median(cosines)


def test_a_query_is_encoded_without_torch(world: World) -> None:
    generations = Generations(world.settings.generations_path)
    program = (
        "import sys; from pathlib import Path; from recommender.search.query_encoder import QueryEncoder\n"
        "print(QueryEncoder(Path(sys.argv[1])).vector('robot').shape, 'torch' in sys.modules, 'onnx' in sys.modules)"
    )
    folder = generations.root / str(generations.current_id())
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(16,) False False"


def test_two_exports_of_one_model_are_the_same_bytes(model: Path, tmp_path: Path) -> None:
    one, other = (query_encoder(find_embedder(str(model)), tmp_path / name) for name in ("one", "other"))
    assert one.folder is not None
    assert other.folder is not None
    for name in ENCODER_FILES:
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()
        assert b"site-packages" not in (one.folder / name).read_bytes()


def test_exports_that_no_build_uses_any_more_are_removed(model: Path, tmp_path: Path) -> None:
    made = query_encoder(find_embedder(str(model)), tmp_path)
    assert made.folder is not None
    for name, days in (("old", 31), ("recent", 29)):
        shutil.copytree(made.folder, made.folder.with_name(name))
        before = time.time() - days * 86_400
        os.utime(made.folder.with_name(name), (before, before))
    os.utime(made.folder, (0, 0))
    assert query_encoder(find_embedder(str(model)), tmp_path).folder == made.folder
    assert sorted(each.name for each in made.folder.parent.iterdir()) == sorted([made.folder.name, "recent"])


def test_a_chain_that_is_not_understood_is_refused_with_a_warning(model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense

    torch.manual_seed(0)
    static = SentenceTransformer(str(model), device="cpu")[0]
    SentenceTransformer(modules=[static, Dense(16, 8)], device="cpu").save(str(tmp_path / "dense"))
    for _ in range(2):
        caplog.clear()
        made = query_encoder(find_embedder(str(tmp_path / "dense")), tmp_path / "cache")
        assert not made.there
        assert "StaticEmbedding, Dense" in caplog.text


def test_a_damaged_encoder_leaves_words_to_answer(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_of(world)
    engine.contents.encoder.write(tmp_path)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"")
    (tmp_path / "query_model.onnx").write_bytes(b"nothing")
    broken = QueryEncoder(tmp_path)
    for _ in range(2):
        with pytest.raises(RecommenderError, match="query encoder"):
            broken.vector("robot")
    assert caplog.text.count("without their meaning") == 1
    damaged = Recommender.unpublished(replace(engine.contents, encoder=broken), engine.settings)
    [feed] = damaged.feeds([Query(placement=PLACEMENT, size=5, text="robot")], now=world.outcome.manifest.created_at)
    assert [(entry.what, entry.why) for entry in feed.degraded] == [("meaning", "failed")]


def test_a_model_that_cannot_be_loaded_keeps_nothing_of_the_searches_that_met_it(tmp_path: Path) -> None:
    for name in ENCODER_FILES:
        (tmp_path / name).write_bytes(b"not what it should be")
    broken = QueryEncoder(tmp_path)

    class Request:
        """What a search holds while it runs."""

    def search() -> weakref.ref[Request]:
        request = Request()
        with pytest.raises(RecommenderError, match="query encoder cannot be read"):
            broken.vector("robot")
        return weakref.ref(request)

    met = [search() for _ in range(3)]
    gc.collect()
    assert [request() for request in met] == [None] * 3


def test_long_texts_take_turns_and_short_ones_do_not_wait_for_them(world: World) -> None:
    encoder = engine_of(world).contents.encoder
    encoder.vector("robot")
    loaded = encoder._loaded
    assert loaded is not None

    class Slow:
        """The session, slow enough that all who may are in it at once."""

        def __init__(self, session: object) -> None:
            self._session = session
            self.inside: Counter[bool] = Counter()
            self.most: Counter[bool] = Counter()

        def run(self, names: None, given: dict[str, np.ndarray]) -> object:
            is_long = given["input_ids"].size >= LONG
            with lock:
                self.inside[is_long] += 1
                self.most[is_long] = max(self.most[is_long], self.inside[is_long])
            time.sleep(0.1)
            with lock:
                self.inside[is_long] -= 1
            return self._session.run(names, given)  # type: ignore[attr-defined]

    lock, calls = threading.Lock(), 2 * cores() + 1
    slow = loaded._session = Slow(loaded._session)  # type: ignore[assignment]
    with ThreadPoolExecutor(2 * calls) as pool:
        list(pool.map(encoder.vector, [f"{call} " + "robot " * LONG for call in range(calls)] + [f"{call} robot" for call in range(calls)]))
    assert slow.most[True] == cores()
    assert slow.most[False] > cores()


def test_once_its_generation_was_pruned_words_answer(world: World, tmp_path: Path) -> None:
    engine, folder = engine_of(world), tmp_path / "pruned"
    folder.mkdir()
    engine.contents.encoder.write(folder)
    pruned = Recommender.unpublished(replace(engine.contents, encoder=QueryEncoder.read(folder)), engine.settings)
    shutil.rmtree(folder)
    [feed] = pruned.feeds([Query(placement=PLACEMENT, size=5, text="robot")], now=world.outcome.manifest.created_at)
    assert [(entry.what, entry.why) for entry in feed.degraded] == [("meaning", "failed")]


def test_what_changed_is_found_by_its_new_meaning_and_words_alone(world: World) -> None:
    engine = engine_of(world)
    catalogue, encoder = engine.contents.catalogue, engine.contents.encoder
    far = int(np.argmin(engine.contents.vectors.gather(np.arange(catalogue.n)) @ encoder.vector("robot")))
    number, new = int(catalogue.numbers[far]), int(catalogue.numbers[-1]) + 5
    items = [
        (number, ItemState.LIVE, Item(id=catalogue.ids_at(np.array([far])).to_pylist()[0], kind=ItemKind.MEDIA, title="Qwertz", text="x")),
        (new, ItemState.LIVE, Item(id="brand-new", kind=ItemKind.MEDIA, title="Zyxwv", text="x")),
    ]
    title = catalogue.titles_at(np.array([far]))[0]
    delta = Delta.of(items, np.stack([encoder.vector("robot")] * 2), dimension=16)
    laid = engine.with_overlay(delta, engine.change + 1, [])
    by_meaning, _ = found(laid, "robot", world)
    assert {number, new} <= set(by_meaning)
    assert delta.is_searched
    again = Delta.of(items, np.stack([encoder.vector("robot")] * 2), dimension=16)
    assert not again.is_searched
    laid.with_overlay(again, engine.change + 2, [])
    assert again.is_searched
    assert found(laid, "qwertz", world)[0][0] == number
    assert found(laid, "zyxwv", world)[0][0] == new
    assert found(engine, title, world)[0][0] == number
    [feed] = laid.feeds([Query(placement=PLACEMENT, size=10, text=title)], now=world.outcome.manifest.created_at)
    assert not (feed.scores[feed.numbers == number] > 1).any()
    assert found(laid, "robot", world, exclude=(number, new))[0] != by_meaning


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_transformer_is_exported_with_its_pooling(pooling: str, tmp_path: Path) -> None:
    folder = transformer(tmp_path / "model", pooling)
    encoder = query_encoder(find_embedder(str(folder)), tmp_path / "cache")
    assert encoder.there
    texts = ["robot", "love garden robot love", "unknown words of all sorts", "robot " * 200]
    for text, wanted in zip(texts, find_embedder(str(folder)).load().encode(texts), strict=True):
        assert encoder.vector(text) @ wanted > 0.995
    assert encoder.vector("robot") @ encoder.vector("garden love") < 0.99


def transformer(folder: Path, pooling: str) -> Path:
    """A real, untrained transformer of two small layers."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "robot", "love", "garden", "a", "films"]
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    network = folder / "network"
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=64
    )
    fast.save_pretrained(str(network))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(words), hidden_size=96, num_hidden_layers=2, num_attention_heads=2, intermediate_size=192, max_position_embeddings=64
    )
    made = BertModel(config)
    with torch.no_grad():
        for name, weights in made.named_parameters():
            if "weight" in name and weights.dim() == 2:
                weights.normal_(0, 0.3)
    made.eval().save_pretrained(str(network))
    part = Transformer(str(network))
    SentenceTransformer(modules=[part, Pooling(96, pooling)], device="cpu").save(str(folder))
    return folder


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
def test_what_is_near_among_what_a_filter_lets_through_is_found(share: float) -> None:
    rng = np.random.default_rng(4)
    n, d = 20_000, 32
    centres = rng.normal(size=(200, d))
    vectors = unit(centres[rng.integers(0, 200, n)] + 0.7 * rng.normal(size=(n, d)))
    source = ContentSource(VectorIndex.build(vectors, exact_limit=1_000, seed=0), np.ones(n, dtype=np.bool_), BuildSettings().content)
    allowed = rng.random(n) < share
    recalls, modes = [], set()
    for query in unit(centres[:20] + 0.5 * rng.normal(size=(20, d))):
        cosines = np.where(allowed, vectors @ query, -np.inf)
        k = min(100, int(allowed.sum()))
        kth = np.sort(cosines)[-k]
        rows, mode = source.nearest(query, 100, allowed)
        assert len(rows) == k
        assert allowed[rows].all()
        recalls.append(float((cosines[rows] >= kth - 1e-4).mean()))
        modes.add(mode)
    assert np.mean(recalls) >= 0.99
    assert modes == {"index"} if share == 0.5 else modes <= {"index", "exact"}
