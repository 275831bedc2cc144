"""Settings that do not validate, in the words of this project: where, what was given, what is allowed."""

from __future__ import annotations

from typing import get_args

from pydantic import BaseModel, SecretStr, ValidationError

from recommender.errors import InvalidInput


def refusal(prefix: str, error: ValidationError, settings: type[BaseModel]) -> InvalidInput:
    """The first thing that is wrong with `settings`, as an `InvalidInput` whose field is `prefix` and the path of the key."""
    first = error.errors()[0]
    location = first["loc"]
    allowed = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "extra_forbidden":
        # A placement's name is the table's own name in the file, never a key.
        keys = [key for key in _table(settings, location[:-1]).model_fields if key != "name"]
        allowed = f"the keys {', '.join(keys)}"
    elif location and isinstance(location[-1], int) and first["type"] in ("missing", "too_long"):
        allowed = "as many values as the default has"
    # What was given for a secret, of the wrong type say, is not to be read in a log.
    given = "a value that is not shown" if location and _is_secret(settings, location[0]) else first["input"]
    return InvalidInput(prefix + ".".join(str(part) for part in location), given, allowed)


def _is_secret(settings: type[BaseModel], name: int | str) -> bool:
    field = settings.model_fields.get(str(name))
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _table(settings: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The settings of the table at `location` within `settings`."""
    for part in location:
        inner = settings.model_fields[str(part)].annotation
        assert isinstance(inner, type)
        settings = inner
    return settings
