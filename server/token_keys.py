"""Token keys as operators write them into the settings."""

from __future__ import annotations

from recommender.errors import InvalidInput


def parse_keys(text: str) -> list[tuple[str, bytes]]:
    """(id, secret) pairs from "id:hex,id:hex". Raises `InvalidInput`, which names the place of a bad pair and not what it holds."""
    keys = []
    for place, pair in enumerate(text.split(","), start=1):
        key_id, colon, secret = pair.strip().partition(":")
        try:
            keys.append((key_id, bytes.fromhex(secret)))
        except ValueError:
            colon = ""
        if not colon:
            raise InvalidInput("setting token_keys", f"pair {place}", "id:hex pairs separated by commas, 64 hex digits or more each")
    return keys
