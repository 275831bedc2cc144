from __future__ import annotations

from indexing.embedding.text import embedding_text
from recommender.items import Item, ItemKind

FULL = {
    "title": "Heat",
    "text": "A thief and a detective.",
    "categories": ("crime", "drama"),
    "tags": ("1990s", "heist"),
    "author": "Michael Mann",
    "brand": "Acme",
    "owner": "owner-1",
}


def test_an_article_is_its_title_tags_and_text() -> None:
    assert embedding_text(Item("a", ItemKind.ARTICLE, **FULL)) == "Heat. 1990s. heist. A thief and a detective."


def test_a_product_is_its_title_brand_categories_tags_and_text() -> None:
    assert embedding_text(Item("p", ItemKind.PRODUCT, **FULL)) == "Heat. Acme. crime. drama. 1990s. heist. A thief and a detective."


def test_a_film_is_its_title_categories_author_tags_and_text() -> None:
    assert embedding_text(Item("m", ItemKind.MEDIA, **FULL)) == "Heat. crime, drama. Michael Mann. 1990s. heist. A thief and a detective."


def test_what_is_missing_leaves_no_gap() -> None:
    assert embedding_text(Item("m", ItemKind.MEDIA, title="  Heat ", tags=("heist",))) == "Heat. heist"
    assert embedding_text(Item("p", ItemKind.PRODUCT, text="A lamp.")) == "A lamp."


def test_an_item_without_words_has_nothing_to_embed() -> None:
    for kind in ItemKind:
        assert embedding_text(Item("x", kind, title=" ", text="\n", price=3.0, owner="owner-1")) == ""
