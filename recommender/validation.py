"""Settings that do not validate, in the words of this project: where, what was given, what is allowed."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from recommender.errors import InvalidInput


def refusal(prefix: str, error: ValidationError, settings: type[BaseModel]) -> InvalidInput:
    """The first thing that is wrong with `settings`, as an `InvalidInput` whose field is `prefix` and the path of the key."""
    first = error.errors()[0]
    location, given = first["loc"], first["input"]
    allowed = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    path = _path(settings, location)
    if first["type"] == "extra_forbidden":
        # A placement's name is the table's own name in the file, never a key.
        keys = [key for key in _table(settings, location[:-1]).model_fields if key != "name" or len(location) > 1]
        allowed = f"the keys {', '.join(keys)}"
    elif first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        path, tag = f"{path}.{first['ctx']['discriminator'].strip(chr(39))}", first["ctx"].get("tag")
        given, allowed = "nothing" if tag is None else tag, ", ".join(_tables_of(_annotation(settings, location)))
    elif location and isinstance(location[-1], int) and first["type"] in ("missing", "too_long"):
        allowed = "as many values as the default has"
    # What was given for a secret, of the wrong type say, is not to be read in a log.
    if location and _is_secret(settings, location[0]):
        given = "a value that is not shown"
    return InvalidInput(prefix + path, given, allowed)


def _path(settings: type[BaseModel], location: tuple[int | str, ...]) -> str:
    """The path of a key as it is written in a file: of what may be of several kinds, the kind is no part of it."""
    path = ""
    for place, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
        elif not (place and part in _tables_of(_annotation(settings, location[:place]))):
            path += f".{part}" if path else part
    return path


def _is_secret(settings: type[BaseModel], name: int | str) -> bool:
    field = settings.model_fields.get(str(name))
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _table(settings: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The settings of the table at `location` within `settings`."""
    table = _annotation(settings, location)
    assert isinstance(table, type)
    assert issubclass(table, BaseModel)
    return table


def _annotation(settings: type[BaseModel], location: tuple[int | str, ...]) -> Any:
    """The type of what stands at `location` within `settings`."""
    at: Any = settings
    for part in location:
        if isinstance(at, type) and issubclass(at, BaseModel):
            at = at.model_fields[str(part)].annotation
        else:
            at = get_args(at)[0] if isinstance(part, int) else _tables_of(at)[part]
    return at


def _tables_of(annotation: Any) -> dict[str, type[BaseModel]]:
    """Where there may be tables of several kinds, each by its kind; nothing elsewhere."""
    field = next((part for part in getattr(annotation, "__metadata__", ()) if isinstance(part, FieldInfo)), None)
    if field is None or not isinstance(field.discriminator, str):
        return {}
    return {get_args(table.model_fields[field.discriminator].annotation)[0]: table for table in get_args(get_args(annotation)[0])}
