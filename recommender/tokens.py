"""Signed tokens: one on every item handed out, and one that carries the rest of a ranking to its next page.

Layout, before base64url: kind (1 byte), format (1 byte), length and text of the key id, the content, and a code of 16 bytes over
all that precedes: keyed BLAKE2b (RFC 7693) in format 2, which is made, and HMAC-SHA256 in format 1, which is still read. Kind
and format are signed, so that no token passes for one of another kind. Tokens can be read by whoever holds them; they cannot
be made or changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled
from recommender.errors import InvalidInput, InvalidToken
from recommender.feeds import Basis, SourceName
from recommender.paging import DIGEST_SIZE, OFFSET_LIMIT, Page, check_name
from recommender.placements import SLATE_LIMIT
from recommender.times import from_micros, to_micros

KEY_BYTES_LEAST = 32
KEY_ID_LIMIT = 32

ITEM_TOKEN_LIMIT = 644
"""Characters of an item token at the most; some 130 with names of usual length."""

PAGE_TOKEN_LIMIT = 6_939
"""Characters of a page token at the most; a usual one of 180 items has some 1,100."""

_ITEM_KIND, _PAGE_KIND = 0x69, 0x70
_BEFORE, _FORMAT = 1, 2
_MAC_SIZE = 16
_PERSON = b"token format 2"
"""Keeps the keys of format 2 apart from the secrets that they are made of, which are the keys of format 1."""
_LONE = 3
"""Bytes whose base64 stands alone: item tokens are as many times as long, so that all of an answer are encoded at once."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")

NO_SOURCE = 0
"""Stands for the source of an item that none proposed."""

_SHOWN = np.dtype([("number", "<u4"), ("position", "<u2"), ("source", "u1"), ("probability", "<f4")])
_RANGES = {"number": (0, 2**32 - 1), "position": (0, OFFSET_LIMIT), "source": (NO_SOURCE, max(SourceName)), "probability": (0, 1)}
_OF_FEEDS = (np.uint32, np.int64, np.uint8, np.float32)
"""Types of the same as feeds have them."""
_PAGE_HEAD, _PAGE_HEAD_BEFORE = struct.Struct("<16s16sqHBHI"), struct.Struct("<16s16sqHBH")
_PAGE_BYTES_LIMIT = _PAGE_HEAD.size + 2 * 101 + SLATE_LIMIT * 9
_CERTAIN = 0x80
"""Set in the width of a page's numbers where all probabilities are 1 and are left out."""

_MARK = 6
"""Bits of a page's sources, behind which it says what put each item there."""

_ITEM_FORM = "an item token as it came with a feed, unchanged; leave it out when there is none"
_PAGE_FORM = "the next_page_token of the page before, unchanged; start again without page_token"


@dataclass(frozen=True)
class ItemToken:
    """Which answer showed an item, and how; checked on construction.

    `decision_id`: 16 bytes. The names have at most 100 bytes each. `arm` is "" outside experiments. `position` counts from
    0 through all pages. `source` is None where none proposed the item, as on a list of what the person had. `probability`, in [0, 1], is
    kept as float32. `number` is the item's. Raises `InvalidInput`.
    """

    decision_id: bytes
    placement: str
    placement_version: str
    generation_id: str
    arm: str
    position: int
    source: SourceName | None
    probability: float
    number: int

    def __post_init__(self) -> None:
        if len(self.decision_id) != DIGEST_SIZE:
            raise InvalidInput("decision_id", f"{len(self.decision_id)} bytes", f"{DIGEST_SIZE} bytes")
        for name in ("placement", "placement_version", "generation_id", "arm"):
            check_name(getattr(self, name), name)
        if not 0 <= self.position <= OFFSET_LIMIT:
            raise InvalidInput("position", self.position, f"0 to {OFFSET_LIMIT}")
        if not 0 <= self.probability <= 1:
            raise InvalidInput("probability", self.probability, "a number from 0 to 1")
        if not 0 <= self.number < 2**32:
            raise InvalidInput("number", self.number, "0 to 4294967295")


class TokenSigner:
    """Signs with the first of its keys and accepts all of them, so that keys can be exchanged without breaking tokens."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """`keys`: (id, secret) pairs; ids of 1 to 32 bytes, all different, secrets of 32 bytes or more."""
        if not keys:
            raise InvalidInput("token_keys", "none", "at least one key")
        for key_id, secret in keys:
            if not 1 <= len(key_id.encode()) <= KEY_ID_LIMIT:
                raise InvalidInput("token_keys", f"a key id of {len(key_id.encode())} bytes", f"key ids of 1 to {KEY_ID_LIMIT} bytes")
            if len(secret) < KEY_BYTES_LEAST:
                raise InvalidInput("token_keys", f"{len(secret)} bytes for key {key_id}", f"{KEY_BYTES_LEAST} bytes or more")
        self._secrets = {key_id.encode(): bytes(secret) for key_id, secret in keys}
        if len(self._secrets) != len(keys):
            raise InvalidInput("token_keys", ", ".join(key_id for key_id, _ in keys), "each key id once")
        self._key_id = keys[0][0].encode()
        self._codes = {
            key_id: hashlib.blake2b(key=hashlib.blake2b(secret, person=_PERSON).digest(), digest_size=_MAC_SIZE)
            for key_id, secret in self._secrets.items()
        }
        self._code = self._codes[self._key_id]

    def __repr__(self) -> str:
        return f"TokenSigner(keys={[key_id.decode() for key_id in self._secrets]})"

    def sign_items(
        self,
        *,
        decision_id: bytes,
        placement: str,
        placement_version: str,
        generation_id: str,
        arm: str,
        numbers: npt.ArrayLike,
        positions: npt.ArrayLike,
        sources: npt.ArrayLike,
        probabilities: npt.ArrayLike,
    ) -> list[str]:
        """Tokens of one answer's items, in order, at most 644 characters each (base64url without padding).

        The last four have the shape (n,); see `ItemToken` for their ranges. Raises `InvalidInput` naming the field.
        """
        joined = self.sign_joined(
            decision_id=decision_id,
            placement=placement,
            placement_version=placement_version,
            generation_id=generation_id,
            arm=arm,
            numbers=np.asarray(numbers),
            positions=np.asarray(positions),
            sources=np.asarray(sources),
            probabilities=np.asarray(probabilities),
        ).decode("ascii")
        size = len(joined) // max(np.size(numbers), 1)
        return [joined[at : at + size] for at in range(0, len(joined), size)] if joined else []

    def sign_joined(
        self,
        *,
        decision_id: bytes,
        placement: str,
        placement_version: str,
        generation_id: str,
        arm: str,
        numbers: npt.NDArray[np.generic],
        positions: npt.NDArray[np.generic],
        sources: npt.NDArray[np.generic],
        probabilities: npt.NDArray[np.generic],
    ) -> bytes:
        """The tokens of `sign_items` as ASCII, one after the other; all have the same length. Raises what that raises."""
        shown = np.empty(np.size(numbers), dtype=_SHOWN)
        columns = {"number": numbers, "position": positions, "source": sources, "probability": probabilities}
        for name, column in columns.items():
            if column.shape != shown.shape:
                raise InvalidInput(name, f"shape {column.shape}", f"one entry per item: shape {shown.shape}")
        if not _are_in_range(*columns.values()):
            for name, column in columns.items():
                _check_range(name, column)
        for name, column in columns.items():
            shown[name] = column
        if len(decision_id) != DIGEST_SIZE:
            raise InvalidInput("decision_id", f"{len(decision_id)} bytes", f"{DIGEST_SIZE} bytes")
        head = self._head(_ITEM_KIND) + decision_id + _item_names(placement, placement_version, generation_id, arm)
        head += bytes(_padding(len(head) + _SHOWN.itemsize + _MAC_SIZE))
        begun = self._code.copy()
        begun.update(head)
        parts, pieces = shown.tobytes(), list[bytes]()
        for at in range(0, len(parts), _SHOWN.itemsize):
            part = parts[at : at + _SHOWN.itemsize]
            code = begun.copy()
            code.update(part)
            pieces += (head, part, code.digest())
        return binascii.b2a_base64(b"".join(pieces), newline=False).translate(_URL_SAFE)

    def sign_item(self, token: ItemToken) -> str:
        """The text of one item token, at most 644 characters."""
        (text,) = self.sign_items(
            decision_id=token.decision_id,
            placement=token.placement,
            placement_version=token.placement_version,
            generation_id=token.generation_id,
            arm=token.arm,
            numbers=[token.number],
            positions=[token.position],
            sources=[token.source or NO_SOURCE],
            probabilities=[token.probability],
        )
        return text

    def read_item(self, text: str) -> ItemToken:
        """What `text` says. Raises `InvalidToken`, whose field is "token", unless it was signed here and is unchanged."""
        content, version = self._verified(text, ITEM_TOKEN_LIMIT, _ITEM_KIND, "token", _ITEM_FORM)
        try:
            reader = _Reader(content)
            decision_id = reader.take(DIGEST_SIZE)
            placement, placement_version, generation_id, arm = (reader.text() for _ in range(4))
            if version != _BEFORE:
                padding = reader.take(reader.left - _SHOWN.itemsize)
                if any(padding) or len(padding) >= _LONE or len(text) % 4:
                    raise ValueError("padding that is not empty, or not as long as it must be")
            (shown,) = np.frombuffer(reader.take(_SHOWN.itemsize), dtype=_SHOWN)
            reader.close()
            return ItemToken(
                decision_id=decision_id,
                placement=placement,
                placement_version=placement_version,
                generation_id=generation_id,
                arm=arm,
                position=int(shown["position"]),
                source=SourceName(int(shown["source"])) if shown["source"] != NO_SOURCE else None,
                probability=float(shown["probability"]),
                number=int(shown["number"]),
            )
        except (ValueError, InvalidInput) as error:
            raise InvalidToken("token", "a token with unknown content", _ITEM_FORM) from error

    def sign_page(self, page: Page) -> str:
        """The text of a page token (base64url without padding), at most 6,939 characters.

        Usual ones, whose items come from a catalogue of 100,000 and whose probabilities are 1, have some 1,100 characters for
        180 items and 2,700 for 480. To compress them would cost more than to send them.
        """
        issued_at, basis, n = to_micros(page.issued_at), int(page.basis), len(page.numbers)
        head = _PAGE_HEAD.pack(page.decision_id, page.binding, issued_at, page.offset, basis, n, page.newest)
        width = max((int(page.numbers.max()).bit_length() + 7) // 8, 1)
        numbers = page.numbers.astype("<u4", copy=False).view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
        certain = bool(page.probabilities.min() == 1)
        chances = b"" if certain else page.probabilities.astype("<f4", copy=False).tobytes()
        content = b"".join(
            (
                self._head(_PAGE_KIND),
                head,
                _prefixed(page.generation_id),
                _prefixed(page.placement_version),
                bytes((width | _CERTAIN if certain else width,)),
                numbers,
                (page.sources | page.marks << _MARK).tobytes(),
                chances,
                bytes((len(page.taken_in),)),
                np.array(page.taken_in, dtype="<u4").tobytes(),
            )
        )
        code = self._code.copy()
        code.update(content)
        return binascii.b2a_base64(content + code.digest(), newline=False).translate(_URL_SAFE, b"=").decode("ascii")

    def read_page(self, text: str, *, binding: bytes, now: datetime, max_age: timedelta) -> Page:
        """What `text` carries, for a request of the same `binding`, at most `max_age` after the first page.

        Raises `InvalidToken`, whose field is "page_token", for a token that is forged, damaged, of another kind, older
        than `max_age`, or that was made for a request with other arguments.
        """
        content, version = self._verified(text, PAGE_TOKEN_LIMIT, _PAGE_KIND, "page_token", _PAGE_FORM)
        try:
            page = _page_before(content) if version == _BEFORE else _page(content)
        except (ValueError, OverflowError, zlib.error, struct.error, InvalidInput) as error:
            raise InvalidToken("page_token", "a token with unknown content", _PAGE_FORM) from error
        if now - page.issued_at > max_age:
            given = f"a token of {page.issued_at.isoformat(timespec='seconds')}"
            raise InvalidToken("page_token", given, f"a token of the last {max_age}; start again without page_token")
        if not hmac.compare_digest(page.binding, binding):
            allowed = (
                "the arguments of the first request (page_size, exclude_item_ids, explain may change); or start again without page_token"
            )
            raise InvalidToken("page_token", "a token that was made for a request with other arguments", allowed)
        return page

    def _head(self, kind: int) -> bytes:
        return bytes((kind, _FORMAT, len(self._key_id))) + self._key_id

    def _verified(self, text: str, limit: int, kind: int, field: str, form: str) -> tuple[bytes, int]:
        """Content and format of a token that was signed here."""
        raw = _decoded(text) if len(text) <= limit else None
        if raw is None or len(raw) < 3 + _MAC_SIZE:
            raise InvalidToken(field, "a damaged token", form)
        body, mac = raw[:-_MAC_SIZE], raw[-_MAC_SIZE:]
        start = 3 + body[2]
        if body[3:start] not in self._secrets or not hmac.compare_digest(mac, self._made(body, body[3:start])):
            raise InvalidToken(field, "a token that was changed, or not signed with a key in use here", form)
        if body[0] != kind:
            raise InvalidToken(field, "a token of another kind", form)
        if body[1] not in (_BEFORE, _FORMAT):
            raise InvalidToken(field, f"a token of format {body[1]}", form)
        return body[start:], body[1]

    def _made(self, body: bytes, key_id: bytes) -> bytes:
        """The code over `body` by its own format."""
        if body[1] == _BEFORE:
            return hmac.digest(self._secrets[key_id], body, "sha256")[:_MAC_SIZE]
        code = self._codes[key_id].copy()
        code.update(body)
        return code.digest()


class _Reader:
    """Takes a verified token's content apart; `ValueError` when it is too short or too long."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._content):
            raise ValueError("too short")
        part = self._content[self._at : end]
        self._at = end
        return part

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def text(self) -> str:
        return self.take(self.take(1)[0]).decode()

    def close(self) -> None:
        if self._at != len(self._content):
            raise ValueError("too long")


def _page(content: bytes) -> Page:
    reader = _Reader(content)
    decision_id, binding, issued_at, offset, basis, n, newest = _PAGE_HEAD.unpack(reader.take(_PAGE_HEAD.size))
    generation_id, placement_version = reader.text(), reader.text()
    given = reader.take(1)[0]
    width = given & ~_CERTAIN
    if not 1 <= width <= 4:
        raise ValueError("numbers of an unknown width")
    numbers = np.zeros((n, 4), dtype=np.uint8)
    numbers[:, :width] = np.frombuffer(reader.take(width * n), dtype=np.uint8).reshape(n, width)
    both = np.frombuffer(reader.take(n), dtype=np.uint8)
    probabilities = np.ones(n, dtype=np.float32) if given & _CERTAIN else np.frombuffer(reader.take(4 * n), dtype="<f4")
    taken_in = np.frombuffer(reader.take(4 * reader.take(1)[0]), dtype="<u4")
    reader.close()
    return Page(
        decision_id=decision_id,
        binding=binding,
        issued_at=from_micros(issued_at),
        generation_id=generation_id,
        placement_version=placement_version,
        offset=offset,
        basis=Basis(basis),
        numbers=numbers.ravel().view("<u4"),
        sources=both & np.uint8((1 << _MARK) - 1),
        probabilities=probabilities,
        marks=both >> np.uint8(_MARK),
        newest=newest,
        taken_in=tuple(taken_in.tolist()),
    )


def _page_before(compressed: bytes) -> Page:
    """The page of a token of format 1."""
    # Bounded, as a few kilobytes can decompress to gigabytes.
    inflater = zlib.decompressobj()
    content = inflater.decompress(compressed, _PAGE_BYTES_LIMIT)
    if not inflater.eof or inflater.unconsumed_tail or inflater.unused_data:
        raise ValueError("not one compressed page")
    reader = _Reader(content)
    decision_id, binding, issued_at, offset, basis, n = _PAGE_HEAD_BEFORE.unpack(reader.take(_PAGE_HEAD_BEFORE.size))
    generation_id, placement_version = reader.text(), reader.text()
    numbers = _unplaned(reader.take(4 * n))
    sources = np.frombuffer(reader.take(n), dtype=np.uint8)
    probabilities = _unplaned(reader.take(4 * n))
    reader.close()
    return Page(
        decision_id=decision_id,
        binding=binding,
        issued_at=from_micros(issued_at),
        generation_id=generation_id,
        placement_version=placement_version,
        offset=offset,
        basis=Basis(basis),
        numbers=numbers.view("<u4"),
        sources=sources,
        probabilities=probabilities.view("<f4"),
        marks=np.zeros(n, dtype=np.uint8),
    )


def _unplaned(planes: bytes) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.frombuffer(planes, dtype=np.uint8).reshape(4, -1).T).ravel()


def _are_in_range(*columns: npt.NDArray[np.generic]) -> bool:
    """Whether all are within `_RANGES`, where they are of the types that feeds have; others are looked at one by one."""
    if any(column.dtype != dtype for column, dtype in zip(columns, _OF_FEEDS, strict=True)):
        return False
    _, positions, sources, probabilities = (cast(Any, column) for column in columns)
    return _in_range(positions, sources, probabilities, OFFSET_LIMIT, len(SourceName))


@compiled
def _in_range(
    positions: npt.NDArray[np.int64], sources: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32], offset: int, source: int
) -> bool:
    inside = True
    for place in range(len(positions)):
        inside &= bool(0 <= positions[place] <= offset) & bool(sources[place] <= source)
        # Written so that NaN fails.
        inside &= bool(0 <= probabilities[place] <= 1)
    return inside


def _check_range(name: str, column: npt.NDArray[np.generic]) -> None:
    least, most = _RANGES[name]
    if not len(column):
        return
    low, high = float(column.min()), float(column.max())
    # Written so that NaN fails.
    if not (low >= least and high <= most):
        raise InvalidInput(name, f"{low:g} to {high:g}", f"{least} to {most}")


@lru_cache(maxsize=256)
def _item_names(placement: str, placement_version: str, generation_id: str, arm: str) -> bytes:
    """The checked names of an item token. Few differ: those of the placements and of the generations of late."""
    names = {"placement": placement, "placement_version": placement_version, "generation_id": generation_id, "arm": arm}
    for field, name in names.items():
        check_name(name, field)
    return b"".join(map(_prefixed, names.values()))


def _prefixed(text: str) -> bytes:
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded


def _padding(size: int) -> int:
    return -size % _LONE


def _decoded(text: str) -> bytes | None:
    """The bytes of `text`, or None unless it is exactly how they are written."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    # The last character has unused bits, so several texts would stand for the same bytes.
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=") == text.encode("ascii") else None
