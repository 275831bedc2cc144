"""Files that are checked before hours of work and appear whole after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eval.datasets.whole_file import whole_file
from recommender.errors import InvalidInput


def check_outputs(paths: Mapping[str, Path | None]) -> None:
    """Raise `InvalidInput` naming the option for a file that could not be written, or that two options name; leaves nothing behind.

    `paths`: by option, None where it was not given.
    """
    seen: dict[Path, str] = {}
    for option, path in paths.items():
        if path is None:
            continue
        place = path.absolute().resolve()
        if place in seen:
            raise InvalidInput(option, str(path), f"another file than that of {seen[place]}")
        seen[place] = option
        if path.is_dir():
            raise InvalidInput(option, str(path), "a file, this is a folder")
        if not path.absolute().parent.is_dir():
            raise InvalidInput(option, str(path), "a file in a folder that exists")
        probe = path.with_name(f".{path.name}.probe")
        try:
            with whole_file(probe):
                pass
            probe.unlink()
        except OSError as error:
            raise InvalidInput(option, str(path), f"a file that can be written ({error.strerror})") from error


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8 to `path`, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
