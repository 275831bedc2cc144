"""The items of an answer in protobuf's wire format, written by one compiled loop straight from the catalogue's buffers.

Thirty items as protobuf objects cost as much as all of the ranking. The format is that of `RankedItem` and `Reason` in types.proto
(https://protobuf.dev/programming-guides/encoding): fields in order of their numbers, defaults left out, as protobuf itself writes them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.feeds import NAMED

Bytes = npt.NDArray[np.uint8]
Ends = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int32]

EVENTS = 16
"""Phrases of each kind of reason: one for each event, or 0, without and with a name at its end."""

_BECAUSE_OF_HISTORY, _POPULAR, _SIMILAR, _NEW_FROM_AUTHOR = 1, 2, 4, 9
"""Of `ReasonKind`: those whose sentence may hold a name."""

# Field numbers and wire types: of the answer's items, of RankedItem, of Reason.
_ITEMS = 0x0A
_ITEM_ID, _KIND, _TITLE, _IMAGE, _SCORE, _REASON, _TOKEN, _PLACING = 0x0A, 0x10, 0x1A, 0x22, 0x2D, 0x32, 0x3A, 0x48
_REASON_KIND, _TEXT, _BECAUSE, _SHARE, _CATEGORY, _AUTHOR = 0x08, 0x12, 0x1A, 0x25, 0x2A, 0x4A


@compiled
def varint_size(value: int) -> int:
    """Bytes of `value` ≥ 0 as a varint."""
    size = 1
    while value >= 128:
        value >>= 7
        size += 1
    return size


@compiled
def put_varint(out: Bytes, at: int, value: int) -> int:
    """Write `value` ≥ 0 as a varint at `at`; where it ends."""
    while value >= 128:
        out[at] = value & 127 | 128
        value >>= 7
        at += 1
    out[at] = value
    return at + 1


@compiled
def put_bytes(out: Bytes, at: int, data: Bytes, start: int, end: int) -> int:
    """Copy `data` from `start` to `end` to `at`; where it ends."""
    # Of unsigned places the compiler knows that they do not count from the end, and copies blocks: up to forty times as fast.
    target, source = np.uint64(at), np.uint64(start)
    for place in range(np.uint64(end - start)):
        out[target + place] = data[source + place]
    return at + end - start


@compiled
def put_text(out: Bytes, at: int, tag: int, data: Bytes, start: int, end: int) -> int:
    """Write a field of text at `at`, or nothing where it is empty; where it ends."""
    if start == end:
        return at
    out[at] = tag
    return put_bytes(out, put_varint(out, at + 1, end - start), data, start, end)


@compiled
def put_float(out: Bytes, at: int, tag: int, bits: int) -> int:
    """Write a field of a float with these `bits`, or nothing for 0; where it ends."""
    if bits == 0:
        return at
    out[at] = tag
    for place in range(4):
        out[at + 1 + place] = bits >> 8 * place & 255
    return at + 5


@compiled
def text_size(size: int) -> int:
    """Bytes of a field of text of `size` bytes."""
    return 1 + varint_size(size) + size if size else 0


@compiled
def phrase_of(kind: int, event: int, name: int) -> int:
    """The place of the phrase of a reason that ends with a name of `name` bytes; of no event for one that there is not."""
    return (kind * EVENTS + (event if event < EVENTS else 0)) * 2 + (name > 0)


@compiled
def card_of(row: int, changed: Rows, places: Rows) -> int:
    """Where the card of `row` is: the row itself, or ~place of the newer one, where it is among the `changed` rows, ascending."""
    low, high = 0, len(changed)
    while low < high:
        middle = (low + high) // 2
        if changed[middle] < row:
            low = middle + 1
        else:
            high = middle
    return int(~places[low]) if low < len(changed) and changed[low] == row else row


@compiled
def length_of(card: int, ends: Ends, new_ends: Ends) -> int:
    """Bytes of the text of a `card_of`."""
    if card >= 0:
        return int(ends[card + 1] - ends[card])
    return int(new_ends[~card + 1] - new_ends[~card])


@compiled
def put_of(out: Bytes, at: int, card: int, data: Bytes, ends: Ends, new_data: Bytes, new_ends: Ends) -> int:
    """Copy the text of a `card_of` to `at`; where it ends."""
    if card >= 0:
        return put_bytes(out, at, data, ends[card], ends[card + 1])
    return put_bytes(out, at, new_data, new_ends[~card], new_ends[~card + 1])


@compiled
def put_text_of(out: Bytes, at: int, tag: int, card: int, data: Bytes, ends: Ends, new_data: Bytes, new_ends: Ends) -> int:
    """Write a field of the text of a `card_of` at `at`, or nothing where it is empty; where it ends."""
    length = length_of(card, ends, new_ends)
    if length == 0:
        return at
    out[at] = tag
    return put_of(out, put_varint(out, at + 1, length), card, data, ends, new_data, new_ends)


@compiled
def written_items(
    rows: Rows,
    scores: npt.NDArray[np.uint32],
    tokens: Bytes,
    placings: Bytes,
    reason_kinds: Bytes,
    events: Bytes,
    causes: npt.NDArray[np.int64],
    shares: npt.NDArray[np.uint32],
    category: Bytes,
    levels: Bytes,
    popular: Bytes,
    popular_ends: Ends,
    trends: Bytes,
    trend_ends: Ends,
    authors: Bytes,
    author_ends: Ends,
    phrases: Bytes,
    phrase_ends: Ends,
    row_of_number: Rows,
    live: npt.NDArray[np.bool_],
    kinds: Bytes,
    ids: Bytes,
    id_ends: Ends,
    titles: Bytes,
    title_ends: Ends,
    images: Bytes,
    image_ends: Ends,
    changed: Rows,
    places: Rows,
    new_kinds: Bytes,
    new_ids: Bytes,
    new_id_ends: Ends,
    new_titles: Bytes,
    new_title_ends: Ends,
    new_images: Bytes,
    new_image_ends: Ends,
) -> Bytes:
    """The field `items` of an answer with the catalogue's `rows`, shape (r,), all ≥ 0.

    `scores` and `shares`: the bits of float32. `tokens`: r tokens of the same length. `placings`: shape (r,), each below 128. Of the first
    m ≤ r items there are reasons: `reason_kinds` and `events`, shape (m,), below `EVENTS`; `causes`, item numbers, shape (m, `NAMED`), -1
    for none; `shares`, shape (m,); for those that are popular their `category`, and by `levels`, shape (m,), or (0,) where all are 0, their
    sentence among those in `popular` and their fields about a trend, as they are written, among those in `trends`; and for those of a
    followed author the name among `authors`, whose ends have the shape (m + 1,), or (1,) where there are none. Phrases stand at (kind · 16
    + event) · 2, of which the place p reaches from `phrase_ends[p]` to `phrase_ends[p + 1]`, as all texts do, and the one after it is for a
    sentence that ends with a name. A cause that is not `live`, or that the catalogue does not have, is not named. `kinds`: number of the
    kind by row. What begins with `new_` are newer cards, at `places` there, of the rows that are `changed`, ascending, both of shape (c,).
    """
    token_size = len(tokens) // len(rows) if len(rows) else 0
    item_sizes = np.empty(len(rows), dtype=np.int64)
    reason_sizes = np.zeros(len(rows), dtype=np.int64)
    cards = np.empty(len(rows), dtype=np.int64)
    causes_there = np.zeros((len(reason_kinds), NAMED), dtype=np.bool_)
    cause_cards = np.zeros((len(reason_kinds), NAMED), dtype=np.int64)
    total = 0
    for place in range(len(rows)):
        card = cards[place] = card_of(rows[place], changed, places)
        size = text_size(length_of(card, id_ends, new_id_ends)) + text_size(length_of(card, title_ends, new_title_ends))
        size += text_size(length_of(card, image_ends, new_image_ends)) + 1 + varint_size(kinds[card] if card >= 0 else new_kinds[~card])
        size += text_size(token_size) + (5 if scores[place] else 0) + (2 if placings[place] else 0)
        if place < len(reason_kinds):
            kind, name, phrase = reason_kinds[place], 0, 0
            inner = 1 + varint_size(kind) + (5 if shares[place] else 0)
            for order in range(NAMED):
                number = causes[place, order]
                if 0 <= number < len(row_of_number):
                    cause = row_of_number[number]
                    if cause >= 0 and live[cause]:
                        causes_there[place, order] = True
                        cause_cards[place, order] = card_of(cause, changed, places)
                        inner += text_size(length_of(cause_cards[place, order], id_ends, new_id_ends))
            if kind == _POPULAR:
                level = levels[place] if len(levels) else 0
                inner += text_size(len(category)) + trend_ends[level + 1] - trend_ends[level]
                inner += text_size(popular_ends[level + 1] - popular_ends[level])
            else:
                if kind in (_BECAUSE_OF_HISTORY, _SIMILAR) and causes_there[place, 0]:
                    name = length_of(cause_cards[place, 0], title_ends, new_title_ends)
                elif kind == _NEW_FROM_AUTHOR and len(author_ends) > 1:
                    name = author_ends[place + 1] - author_ends[place]
                    inner += text_size(name)
                phrase = phrase_of(kind, events[place], name)
                inner += text_size(phrase_ends[phrase + 1] - phrase_ends[phrase] + name)
            reason_sizes[place] = inner
            size += 1 + varint_size(inner) + inner
        item_sizes[place] = size
        total += 1 + varint_size(size) + size
    out = np.empty(total, dtype=np.uint8)
    at = 0
    for place in range(len(rows)):
        card = cards[place]
        out[at] = _ITEMS
        at = put_varint(out, at + 1, item_sizes[place])
        at = put_text_of(out, at, _ITEM_ID, card, ids, id_ends, new_ids, new_id_ends)
        out[at] = _KIND
        at = put_varint(out, at + 1, kinds[card] if card >= 0 else new_kinds[~card])
        at = put_text_of(out, at, _TITLE, card, titles, title_ends, new_titles, new_title_ends)
        at = put_text_of(out, at, _IMAGE, card, images, image_ends, new_images, new_image_ends)
        at = put_float(out, at, _SCORE, scores[place])
        if place < len(reason_kinds):
            kind, first = reason_kinds[place], cause_cards[place, 0]
            out[at] = _REASON
            at = put_varint(out, at + 1, reason_sizes[place])
            out[at] = _REASON_KIND
            at = put_varint(out, at + 1, kind)
            name, level = 0, levels[place] if len(levels) else 0
            if kind == _POPULAR:
                at = put_text(out, at, _TEXT, popular, popular_ends[level], popular_ends[level + 1])
            else:
                if kind in (_BECAUSE_OF_HISTORY, _SIMILAR) and causes_there[place, 0]:
                    name = length_of(first, title_ends, new_title_ends)
                elif kind == _NEW_FROM_AUTHOR and len(author_ends) > 1:
                    name = author_ends[place + 1] - author_ends[place]
                phrase = phrase_of(kind, events[place], name)
                size = phrase_ends[phrase + 1] - phrase_ends[phrase] + name
                if size:
                    out[at] = _TEXT
                    at = put_varint(out, at + 1, size)
                    at = put_bytes(out, at, phrases, phrase_ends[phrase], phrase_ends[phrase + 1])
                    if name and kind == _NEW_FROM_AUTHOR:
                        at = put_bytes(out, at, authors, author_ends[place], author_ends[place + 1])
                    elif name:
                        at = put_of(out, at, first, titles, title_ends, new_titles, new_title_ends)
            for order in range(NAMED):
                if causes_there[place, order]:
                    at = put_text_of(out, at, _BECAUSE, cause_cards[place, order], ids, id_ends, new_ids, new_id_ends)
            at = put_float(out, at, _SHARE, shares[place])
            if kind == _POPULAR:
                at = put_text(out, at, _CATEGORY, category, 0, len(category))
                at = put_bytes(out, at, trends, trend_ends[level], trend_ends[level + 1])
            elif kind == _NEW_FROM_AUTHOR and name:
                at = put_text(out, at, _AUTHOR, authors, author_ends[place], author_ends[place + 1])
        at = put_text(out, at, _TOKEN, tokens, token_size * place, token_size * (place + 1))
        if placings[place]:
            out[at], out[at + 1] = _PLACING, placings[place]
            at += 2
    return out
