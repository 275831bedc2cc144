from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from worlds import films

from indexing.embedding import CatalogueVectors, Embedder, embed_items, find_embedder
from indexing.embedding.cache import FILE, EmbeddingCache
from recommender.errors import RecommenderError
from recommender.items import Item, ItemKind


def changed(item: Item, **new: object) -> Item:
    """The item with other values in some fields."""
    return Item(**{field.name: getattr(item, field.name) for field in fields(item)} | new)


def never() -> Embedder:
    raise AssertionError("the model was asked for")


class Nights:
    """Embeds catalogues with the tiny model and one cache."""

    def __init__(self, model: Path, cache: Path) -> None:
        self.model = model
        self.cache = cache

    def embed(self, items: Sequence[Item]) -> CatalogueVectors:
        return embed_items(items, lambda: find_embedder(str(self.model)), self.cache)


@pytest.fixture
def nights(model: Path, tmp_path: Path) -> Nights:
    return Nights(model, tmp_path / "cache")


def test_a_second_night_embeds_nothing(nights: Nights) -> None:
    items = films(30)
    first, second = nights.embed(items), nights.embed(items)
    assert (first.embedded, first.cached) == (30, 0)
    assert (second.embedded, second.cached) == (0, 30)
    np.testing.assert_array_equal(first.vectors, second.vectors)
    np.testing.assert_allclose(np.linalg.norm(first.vectors, axis=1), 1, atol=1e-6)


def test_one_changed_title_embeds_exactly_that_item(nights: Nights) -> None:
    items = films(30)
    before = nights.embed(items).vectors
    items[7] = changed(items[7], title="The galaxy and the moon")
    after = nights.embed(items)
    assert (after.embedded, after.cached) == (1, 29)
    assert np.flatnonzero((before != after.vectors).any(axis=1)).tolist() == [7]


def test_a_changed_price_embeds_nothing(nights: Nights) -> None:
    items = films(30)
    nights.embed(items)
    after = nights.embed([changed(item, price=99.0, image_url="https://example.com/x.png") for item in items])
    assert after.embedded == 0


def test_items_of_the_same_text_are_embedded_once(nights: Nights) -> None:
    item = films(1)[0]
    made = nights.embed([item, changed(item, id="double"), changed(item, id="triple", price=5.0)])
    assert made.embedded == 1
    assert made.vectors[0].tobytes() == made.vectors[1].tobytes() == made.vectors[2].tobytes()


def test_a_cache_larger_than_one_look_up_gives_every_vector_to_its_text(nights: Nights) -> None:
    items = [Item(f"item-{place}", ItemKind.ARTICLE, title=f"rocket {place} {'rose' if place % 3 else 'tulip'}") for place in range(1200)]
    first, second = nights.embed(items), nights.embed(items[::-1])
    assert (first.embedded, second.embedded, second.cached) == (1200, 0, 1200)
    np.testing.assert_array_equal(first.vectors, second.vectors[::-1])


def test_a_deleted_cache_is_filled_again(nights: Nights) -> None:
    first = nights.embed(films(10))
    for path in nights.cache.iterdir():
        path.unlink()
    again = nights.embed(films(10))
    assert again.embedded == 10
    np.testing.assert_array_equal(first.vectors, again.vectors)


@pytest.mark.parametrize("kept", [0, 4096])
def test_a_damaged_cache_is_thrown_away_with_a_warning(nights: Nights, kept: int, caplog: pytest.LogCaptureFixture) -> None:
    first = nights.embed(films(60))
    path = nights.cache / FILE
    good = path.read_bytes()
    path.write_bytes(good[:kept] + b"\xa5" * (len(good) - kept))
    with caplog.at_level(logging.WARNING):
        again = nights.embed(films(60))
    assert again.embedded == 60
    assert "is damaged" in caplog.text
    assert str(path) in caplog.text
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert nights.embed(films(60)).cached == 60


def test_damage_that_shows_while_writing_loses_no_vector(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    vectors = {f"text {place}": np.full(16, place, dtype=np.float32) for place in range(400)}
    with EmbeddingCache(tmp_path) as cache:
        cache.put("m", vectors)
    path = tmp_path / FILE
    good = path.read_bytes()
    path.write_bytes(good[:4096] + b"\xa5" * (len(good) - 4096))
    with EmbeddingCache(tmp_path) as cache, caplog.at_level(logging.WARNING):
        cache.put("m", vectors)
        assert cache.get("m", list(vectors)).keys() == vectors.keys()
    assert "is damaged" in caplog.text


def test_a_cache_that_cannot_be_opened_is_a_clear_error(nights: Nights) -> None:
    nights.cache.write_text("not a folder")
    with pytest.raises(RecommenderError, match=r"cannot use the embedding cache .*embeddings\.sqlite.*may be deleted"):
        nights.embed(films(3))


def test_models_do_not_share_vectors(tmp_path: Path) -> None:
    with EmbeddingCache(tmp_path) as cache:
        cache.put("one", {"text": np.ones(3, dtype=np.float32)})
        assert cache.get("other", ["text"]) == {}
        assert cache.get("one", ["text", "unknown"]).keys() == {"text"}


def test_own_vectors_are_normalised_and_need_no_model(tmp_path: Path) -> None:
    items = [Item("a", ItemKind.MEDIA, title="x", embedding=[3, 4]), Item("b", ItemKind.MEDIA, embedding=[0, -2])]
    made = embed_items(items, never, tmp_path / "cache")
    np.testing.assert_allclose(made.vectors, [[0.6, 0.8], [0, -1]], atol=1e-6)
    assert (made.embedder, made.embedded, made.cached) == ("own", 0, 0)
    assert not (tmp_path / "cache").exists()


def test_building_from_own_vectors_never_imports_torch(tmp_path: Path) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "import indexing.building\n"
        "from indexing.embedding import embed_items, find_embedder\n"
        "from recommender.items import Item, ItemKind\n"
        "made = embed_items([Item('a', ItemKind.MEDIA, embedding=np.ones(4))], lambda: find_embedder('auto'), Path(sys.argv[1]))\n"
        "print(made.embedder, sorted({'torch', 'sentence_transformers', 'transformers', 'implicit', 'pandas', 'grpc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["own", "[]\n"]


def test_own_and_embedded_vectors_stand_side_by_side(nights: Nights) -> None:
    item, other = films(2)
    own = np.zeros(16, dtype=np.float32)
    own[3] = 2
    made = nights.embed([item, changed(other, embedding=own)])
    assert made.embedded == 1
    np.testing.assert_allclose(made.vectors[1], own / 2)
    np.testing.assert_array_equal(made.vectors[0], nights.embed([item]).vectors[0])


def test_own_vectors_of_another_length_than_most_are_left_out_and_named() -> None:
    pair = [Item(f"pair-{n}", ItemKind.MEDIA, embedding=[1, n]) for n in range(1, 4)]
    made = embed_items([Item("long", ItemKind.MEDIA, embedding=[1, 0, 0]), *pair], never, Path("unused"))
    assert made.vectors.shape == (4, 2)
    assert made.has_vector.tolist() == [False, True, True, True]
    assert (made.own, made.misfits) == (4, ("long",))


def test_an_own_vector_of_another_length_than_the_models_is_left_out_and_named(nights: Nights) -> None:
    made = nights.embed([*films(3), Item("short", ItemKind.MEDIA, embedding=[1, 0])])
    assert made.vectors.shape == (4, 16)
    assert made.has_vector.tolist() == [True, True, True, False]
    assert made.misfits == ("short",)


def test_an_own_vector_of_huge_numbers_keeps_its_direction() -> None:
    made = embed_items([Item("huge", ItemKind.MEDIA, embedding=[3e38, 3e38])], never, Path("unused"))
    assert made.vectors[0] == pytest.approx([0.5**0.5] * 2)


def test_items_with_nothing_to_embed_have_no_vector(nights: Nights, tmp_path: Path) -> None:
    bare = Item("bare", ItemKind.PRODUCT, price=3.0)
    made = nights.embed([bare, films(1)[0]])
    assert made.has_vector.tolist() == [False, True]
    assert not made.vectors[0].any()
    alone = embed_items([bare], never, tmp_path)
    assert (alone.embedder, alone.has_vector.tolist(), alone.vectors.shape) == ("none", [False], (1, 1))


def test_progress_counts_the_texts_that_are_embedded(nights: Nights) -> None:
    seen: list[tuple[int, int]] = []
    items = [Item(f"item-{place}", ItemKind.ARTICLE, title=f"rocket {place}") for place in range(600)]
    embed_items(items, lambda: find_embedder(str(nights.model)), nights.cache, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 600), (512, 600), (600, 600)]
