"""The text that stands for an item: what is embedded, per kind."""

from __future__ import annotations

from recommender.items import Item, ItemKind


def embedding_text(item: Item) -> str:
    """Title first, then what tells items of this kind apart, then the running text; "" when there is nothing to embed.

    Models cut long input at its end, so the most telling parts come first. Labels alone, without title or text, are not embedded:
    they are no language, and count as labels.
    """
    if not item.title.strip() and not item.text.strip():
        return ""
    parts: list[str] = [item.title]
    if item.kind is ItemKind.PRODUCT:
        parts += [item.brand, *item.categories, *item.tags]
    elif item.kind is ItemKind.MEDIA:
        parts += [", ".join(item.categories), item.author, *item.tags]
    else:
        parts += [*item.tags]
    parts.append(item.text)
    return ". ".join(part.strip() for part in parts if part.strip())
