"""Tokens come back as they were signed, or not at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recommender.errors import InvalidInput, InvalidToken
from recommender.events import TOKEN_LIMIT
from recommender.feeds import Basis, SourceName
from recommender.paging import TAKEN_IN_LIMIT, Page
from recommender.tokens import ITEM_TOKEN_LIMIT, PAGE_TOKEN_LIMIT, ItemToken, TokenSigner

NOW = datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)
SIGNER = TokenSigner([NEW, OLD])
BINDING = b"b" * 16

ITEM = ItemToken(
    decision_id=bytes(range(16)),
    placement="home",
    placement_version="0123456789ab",
    generation_id="20260131T020000-1a2b3c",
    arm="",
    position=3,
    source=SourceName.ITEM_ITEM,
    probability=0.25,
    number=4_000_000_000,
)
PAGE = Page(
    decision_id=bytes(range(16)),
    binding=BINDING,
    issued_at=NOW,
    generation_id="20260131T020000-1a2b3c",
    placement_version="0123456789ab",
    offset=20,
    basis=Basis.SESSION,
    numbers=np.array([5, 4_000_000_000, 7], np.uint32),
    sources=np.array([1, 5, 3], np.uint8),
    probabilities=np.array([1.0, 0.1, 0.0], np.float32),
    marks=np.array([0, 3, 1], np.uint8),
    newest=4_100_000_000,
)


def read_page(text: str, signer: TokenSigner = SIGNER, *, binding: bytes = BINDING, now: datetime = NOW) -> Page:
    return signer.read_page(text, binding=binding, now=now, max_age=DAY)


def refusal(text: str, kind: str = "page", **arguments: Any) -> InvalidToken:
    with pytest.raises(InvalidToken) as caught:
        read_page(text, **arguments) if kind == "page" else arguments.get("signer", SIGNER).read_item(text)
    assert caught.value.field == ("page_token" if kind == "page" else "token")
    assert ("start again without page_token" if kind == "page" else "leave it out") in caught.value.allowed
    assert all(str(secret) not in str(caught.value) for _, secret in (OLD, NEW))
    return caught.value


def signed(body: bytes, key: tuple[str, bytes] = NEW) -> str:
    """A token with any content, as only a holder of the key can make it."""
    if body[1] == 1:
        code = hmac.digest(key[1], body, "sha256")[:16]
    else:
        own_key = hashlib.blake2b(key[1], person=b"token format 2").digest()
        code = hashlib.blake2b(body, key=own_key, digest_size=16).digest()
    return base64.urlsafe_b64encode(body + code).rstrip(b"=").decode()


def raw_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def prefixed(*texts: str) -> bytes:
    return b"".join(bytes((len(text.encode()),)) + text.encode() for text in texts)


def planes(values: np.ndarray) -> bytes:
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, 4).T.tobytes()


def item_before(item: ItemToken) -> str:
    """The token of format 1, as servers made it before."""
    names = prefixed(item.placement, item.placement_version, item.generation_id, item.arm)
    shown = struct.pack("<IHBf", item.number, item.position, item.source or 0, item.probability)
    return signed(b"i\x01\x03new" + item.decision_id + names + shown)


def page_before(page: Page) -> bytes:
    """The content of a page token of format 1, before it is compressed."""
    micros = (page.issued_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    head = struct.pack("<16s16sqHBH", page.decision_id, page.binding, micros, page.offset, page.basis, len(page.numbers))
    names = prefixed(page.generation_id, page.placement_version)
    return head + names + planes(page.numbers) + page.sources.tobytes() + planes(page.probabilities)


def same_page(one: Page, other: Page) -> bool:
    plain = ("decision_id", "binding", "issued_at", "generation_id", "placement_version", "offset", "basis", "newest", "taken_in")
    arrays = ("numbers", "sources", "probabilities", "marks")
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) and getattr(one, name).dtype == getattr(other, name).dtype
        for name in arrays
    )


names = st.text(st.characters(codec="utf-8"), max_size=25)
probabilities = st.floats(0, 1, width=32)
items = st.builds(
    ItemToken,
    decision_id=st.binary(min_size=16, max_size=16),
    placement=names,
    placement_version=names,
    generation_id=names,
    arm=names,
    position=st.integers(0, 65_535),
    source=st.none() | st.sampled_from(SourceName),
    probability=probabilities,
    number=st.integers(0, 2**32 - 1),
)


@st.composite
def pages(draw: st.DrawFn) -> Page:
    numbers = draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40, unique=True))
    n = len(numbers)
    return Page(
        decision_id=draw(st.binary(min_size=16, max_size=16)),
        binding=draw(st.binary(min_size=16, max_size=16)),
        issued_at=draw(st.datetimes(timezones=st.just(UTC))),
        generation_id=draw(names),
        placement_version=draw(names),
        offset=draw(st.integers(0, 65_535)),
        basis=draw(st.sampled_from(Basis)),
        numbers=np.array(numbers, np.uint32),
        sources=np.array(draw(st.lists(st.integers(1, len(SourceName)), min_size=n, max_size=n)), np.uint8),
        probabilities=np.array(draw(st.lists(probabilities, min_size=n, max_size=n)), np.float32),
        marks=np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), np.uint8),
        newest=draw(st.integers(0, 2**32 - 1)),
        taken_in=tuple(draw(st.lists(st.integers(0, 2**32 - 1), max_size=3))),
    )


@given(items)
def test_an_item_token_comes_back_as_it_was(item: ItemToken) -> None:
    text = SIGNER.sign_item(item)
    assert SIGNER.read_item(text) == item
    assert len(text) <= ITEM_TOKEN_LIMIT
    assert raw_of(text)
    assert SIGNER.read_item(item_before(item)) == item


@given(pages())
def test_a_page_comes_back_as_it_was(page: Page) -> None:
    text = SIGNER.sign_page(page)
    assert same_page(SIGNER.read_page(text, binding=page.binding, now=page.issued_at, max_age=DAY), page)
    assert len(text) <= PAGE_TOKEN_LIMIT
    before = signed(b"p\x01\x03new" + zlib.compress(page_before(page)))
    unmarked = replace(page, marks=np.zeros(len(page.numbers), np.uint8), newest=2**32 - 1, taken_in=())
    assert same_page(SIGNER.read_page(before, binding=page.binding, now=page.issued_at, max_age=DAY), unmarked)


@pytest.mark.parametrize("number", [0, 255, 256, 65_535, 65_536, 2**24 - 1, 2**24, 2**32 - 1])
@pytest.mark.parametrize("probability", [1.0, 0.5])
def test_numbers_of_any_size_come_back(number: int, probability: float) -> None:
    numbers, chances = np.array([number, 1, 2], np.uint32), np.array([1, probability, 1], np.float32)
    page = replace(PAGE, numbers=numbers, probabilities=chances, marks=np.zeros(len(numbers), np.uint8))
    assert same_page(read_page(SIGNER.sign_page(page)), page)


def test_many_items_are_signed_as_one_by_one() -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, 2**32, 30, dtype=np.uint32)
    sources = rng.integers(1, 6, 30).astype(np.uint8)
    chances = rng.random(30, dtype=np.float32)
    shared = {name: getattr(ITEM, name) for name in ("decision_id", "placement", "placement_version", "generation_id", "arm")}
    texts = SIGNER.sign_items(**shared, numbers=numbers, positions=np.arange(30), sources=sources, probabilities=chances)
    expected = [
        replace(ITEM, number=int(number), position=place, source=SourceName(int(source)), probability=float(chance))
        for place, (number, source, chance) in enumerate(zip(numbers, sources, chances, strict=True))
    ]
    assert [SIGNER.read_item(text) for text in texts] == expected
    assert texts == [SIGNER.sign_item(item) for item in expected]
    assert SIGNER.sign_items(**shared, numbers=[], positions=[], sources=[], probabilities=[]) == []


def test_the_largest_tokens_keep_their_bounds_and_fit_into_an_event() -> None:
    rng = np.random.default_rng(2)
    signer = TokenSigner([("k" * 32, rng.bytes(32))])
    name = "".join(map(chr, rng.integers(33, 127, 100)))
    item = replace(ITEM, placement=name, placement_version=name, generation_id=name, arm=name)
    assert len(signer.sign_item(item)) == ITEM_TOKEN_LIMIT <= TOKEN_LIMIT
    page = replace(
        PAGE,
        generation_id=name,
        placement_version=name[::-1],
        numbers=rng.choice(2**31, 500, replace=False).astype(np.uint32),
        sources=rng.integers(1, 6, 500).astype(np.uint8),
        probabilities=rng.random(500, dtype=np.float32),
        marks=np.zeros(500, np.uint8),
        taken_in=tuple(range(2**31, 2**31 + TAKEN_IN_LIMIT)),
    )
    text = signer.sign_page(page)
    assert len(text) == PAGE_TOKEN_LIMIT
    assert same_page(read_page(text, signer), page)
    # Of format 1: what zlib adds to content that does not compress at all is 11 bytes; the bound must hold even then.
    content = 45 + 2 * 101 + 500 * 9 + 11
    assert -(-(3 + 32 + content + 16) * 8 // 6) <= PAGE_TOKEN_LIMIT


def test_a_usual_page_token_is_short() -> None:
    rng = np.random.default_rng(3)
    numbers = rng.choice(100_000, 180, replace=False).astype(np.uint32)
    page = replace(
        PAGE,
        numbers=numbers,
        sources=rng.integers(1, 4, 180).astype(np.uint8),
        probabilities=np.ones(180, np.float32),
        marks=np.zeros(180, np.uint8),
    )
    assert len(SIGNER.sign_page(page)) < 1_110


ITEM_TEXT, PAGE_TEXT = SIGNER.sign_item(ITEM), SIGNER.sign_page(PAGE)


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.binary(max_size=150).map(lambda tail: b"p\x01\x03new" + tail))
@example(b"")
@example(b"p\x01\xff")
def test_random_bytes_are_no_token(raw: bytes) -> None:
    text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    refusal(text)
    refusal(text, "item")


@given(st.text(max_size=100))
@example("=")
@example("é")
@example(PAGE_TEXT + "=")
@example(PAGE_TEXT + "\n")
@example(" " + PAGE_TEXT)
@example(PAGE_TEXT[:10] + "!" + PAGE_TEXT[10:])
@example("A" * 1_000_000)
def test_random_text_is_no_token(text: str) -> None:
    refusal(text)
    refusal(text, "item")


@pytest.mark.parametrize("kind", ["item", "page"])
def test_no_bit_of_a_token_can_be_flipped(kind: str) -> None:
    text = ITEM_TEXT if kind == "item" else PAGE_TEXT
    raw = raw_of(text)
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        refusal(base64.urlsafe_b64encode(bytes(flipped)).rstrip(b"=").decode(), kind)


@pytest.mark.parametrize("kind", ["item", "page"])
def test_no_character_of_a_token_can_be_changed_or_left_out(kind: str) -> None:
    text = ITEM_TEXT if kind == "item" else PAGE_TEXT
    for place in range(len(text)):
        refusal(text[:place] + text[place + 1 :], kind)
        refusal(text[:place], kind)
        for other in "Ab-_":
            if text[place] != other:
                refusal(text[:place] + other + text[place + 1 :], kind)


def test_a_token_of_another_kind_is_refused() -> None:
    assert refusal(ITEM_TEXT).given == "a token of another kind"
    assert refusal(PAGE_TEXT, "item").given == "a token of another kind"


def test_a_token_of_a_later_format_is_refused() -> None:
    assert refusal(signed(b"p\x03\x03new" + b"x" * 40)).given == "a token of format 3"
    assert refusal(signed(b"i\x03\x03new" + b"x" * 40), "item").given == "a token of format 3"


def test_a_page_token_for_other_arguments_is_refused() -> None:
    error = refusal(PAGE_TEXT, binding=b"c" * 16)
    assert "other arguments" in str(error)
    assert "page_size, exclude_item_ids, explain may change" in error.allowed


def test_a_page_token_expires() -> None:
    assert same_page(read_page(PAGE_TEXT, now=NOW + DAY), PAGE)
    error = refusal(PAGE_TEXT, now=NOW + DAY + timedelta(microseconds=1))
    assert error.given == "a token of 2026-01-31T08:00:00+00:00"
    assert "the last 1 day" in error.allowed


def test_a_page_token_from_a_clock_that_is_ahead_is_accepted() -> None:
    assert same_page(read_page(PAGE_TEXT, now=NOW - timedelta(seconds=5)), PAGE)


def test_keys_can_be_exchanged() -> None:
    before, both, after = TokenSigner([OLD]), TokenSigner([NEW, OLD]), TokenSigner([NEW])
    old_item, old_page = before.sign_item(ITEM), before.sign_page(PAGE)
    assert both.read_item(old_item) == ITEM
    assert same_page(read_page(old_page, both), PAGE)
    assert after.read_item(both.sign_item(ITEM)) == ITEM
    assert "not signed with a key in use" in str(refusal(old_item, "item", signer=after))
    assert "not signed with a key in use" in str(refusal(old_page, signer=after))


def test_a_key_of_the_same_id_with_another_secret_is_another_key() -> None:
    refusal(TokenSigner([("new", b"x" * 32)]).sign_item(ITEM), "item")


def test_a_token_that_would_decompress_beyond_its_bound_is_refused() -> None:
    bomb = zlib.compress(bytes(3_000_000), 9)
    assert len(bomb) < 4_000
    assert refusal(signed(b"p\x01\x03new" + bomb)).given == "a token with unknown content"


def changed(content: bytes, **changes: int) -> bytes:
    made = bytearray(content)
    for place, value in changes.items():
        made[int(place.removeprefix("at_"))] = value
    return bytes(made)


def page_content(**changes: int) -> bytes:
    return changed(page_before(PAGE), **changes)


PAGE_RAW = raw_of(PAGE_TEXT)[6:-16]
WIDTH_AT = 49 + 1 + len(PAGE.generation_id) + 1 + len(PAGE.placement_version)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        PAGE_RAW + b"x",
        PAGE_RAW[:-1],
        changed(PAGE_RAW, at_39=127),
        changed(PAGE_RAW, at_42=9),
        changed(PAGE_RAW, at_43=0),
        changed(PAGE_RAW, at_44=255),
        changed(PAGE_RAW, at_49=255),
        changed(PAGE_RAW, at_50=255),
        *(changed(PAGE_RAW, **{f"at_{WIDTH_AT}": width}) for width in (0, 3, 5, 0x80, 0x84, 0xFF)),
    ],
)
def test_signed_nonsense_is_refused(content: bytes) -> None:
    assert same_page(read_page(signed(b"p\x02\x03new" + PAGE_RAW)), PAGE)
    assert refusal(signed(b"p\x02\x03new" + content)).given == "a token with unknown content"


@pytest.mark.parametrize(
    "compressed",
    [
        b"",
        b"not zlib",
        zlib.compress(b""),
        zlib.compress(page_content()) + b"more",
        zlib.compress(page_content())[:-1],
        zlib.compress(page_content() + b"x"),
        zlib.compress(page_content()[:-1]),
        zlib.compress(page_content(at_39=127)),
        zlib.compress(page_content(at_42=9)),
        zlib.compress(page_content(at_43=0)),
        zlib.compress(page_content(at_44=255)),
        zlib.compress(page_content(at_45=255)),
        zlib.compress(page_content(at_46=255)),
    ],
)
def test_signed_nonsense_of_before_is_refused_as_well(compressed: bytes) -> None:
    unmarked = replace(PAGE, marks=np.zeros_like(PAGE.marks), newest=2**32 - 1)
    assert same_page(read_page(signed(b"p\x01\x03new" + zlib.compress(page_content()))), unmarked)
    assert refusal(signed(b"p\x01\x03new" + compressed)).given == "a token with unknown content"


@settings(max_examples=200)
@given(st.binary(max_size=120))
@example(bytes(16) + bytes(4) + bytes(11))
@example(bytes(16) + bytes(4) + bytes(6) + b"\x01" + bytes(4))
@example(bytes(16) + b"\x01\xff")
@example(bytes(16) + bytes(4) + bytes(1) + bytes(6) + b"\x01" + bytes(4))
@example(bytes(16) + bytes(4) + b"\x01" + bytes(6) + b"\x01" + bytes(4))
@example(bytes(16) + bytes(4) + bytes(4) + bytes(6) + b"\x01" + bytes(4))
def test_signed_random_bytes_are_refused_or_read_as_what_they_are(content: bytes) -> None:
    for version, make in ((1, item_before), (2, SIGNER.sign_item)):
        refusal(signed(bytes((0x70, version, 3)) + b"new" + content))
        text = signed(bytes((0x69, version, 3)) + b"new" + content)
        try:
            item = SIGNER.read_item(text)
        except InvalidToken:
            continue
        assert make(item) == text


def test_a_code_of_one_format_is_none_of_the_other() -> None:
    raw = raw_of(ITEM_TEXT)
    own_key = hashlib.blake2b(NEW[1], person=b"token format 2").digest()
    body = raw[:1] + b"\x01" + raw[2:-16]
    as_before = base64.urlsafe_b64encode(body + hashlib.blake2b(body, key=own_key, digest_size=16).digest())
    later = raw[:-16] + hmac.digest(NEW[1], raw[:-16], "sha256")[:16]
    for text in (as_before, base64.urlsafe_b64encode(later)):
        assert "changed" in refusal(text.rstrip(b"=").decode(), "item").given


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"decision_id": b""}, "decision_id"),
        ({"placement": "x" * 101}, "placement"),
        ({"arm": "é" * 51}, "arm"),
        ({"generation_id": "\ud800"}, "generation_id"),
        ({"position": -1}, "position"),
        ({"position": 65_536}, "position"),
        ({"probability": 1.1}, "probability"),
        ({"probability": float("nan")}, "probability"),
        ({"number": 2**32}, "number"),
    ],
)
def test_an_item_token_checks_itself(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        replace(ITEM, **changes)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"numbers": [-1]}, "number"),
        ({"numbers": [2**32]}, "number"),
        ({"positions": [70_000]}, "position"),
        ({"positions": [1, 2]}, "position"),
        ({"sources": [-1]}, "source"),
        ({"sources": np.array([len(SourceName) + 1], np.uint8)}, "source"),
        ({"sources": [len(SourceName) + 1]}, "source"),
        ({"probabilities": [np.nan]}, "probability"),
        ({"decision_id": b"x"}, "decision_id"),
        ({"arm": "x" * 101}, "arm"),
    ],
)
def test_signing_refuses_what_it_could_not_read_back(changes: dict[str, Any], field: str) -> None:
    arguments: dict[str, Any] = {
        **{name: getattr(ITEM, name) for name in ("decision_id", "placement", "placement_version", "generation_id", "arm")},
        **{"numbers": [1], "positions": [0], "sources": [1], "probabilities": [1.0]},
    }
    with pytest.raises(InvalidInput) as caught:
        SIGNER.sign_items(**{**arguments, **changes})
    assert caught.value.field == field


@pytest.mark.parametrize(
    "keys",
    [[], [("", b"x" * 32)], [("k" * 33, b"x" * 32)], [("k", b"x" * 31)], [("k", b"x" * 32), ("k", b"y" * 32)]],
)
def test_keys_are_checked(keys: list[tuple[str, bytes]]) -> None:
    with pytest.raises(InvalidInput, match="token_keys"):
        TokenSigner(keys)


def test_a_signer_does_not_show_its_secrets() -> None:
    assert repr(SIGNER) == "TokenSigner(keys=['new', 'old'])"
