"""From the columns of a file to the columns of a schema: `--map OUR=THEIRS` and `--map OUR=:constant`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from indexing.importing.files import ImportFile
from indexing.importing.schema import Schema
from indexing.importing.values import is_missing, typed_text
from recommender.errors import InvalidInput

UNKNOWN_LIMIT = 100
"""Names of ignored columns that are kept for the report."""


@dataclass(frozen=True)
class ColumnMap:
    """Where each of our columns comes from.

    `sources`: our name → theirs; every other column of ours is looked for under its own name. `constants` hold for every
    row. `defaults` fill what a row leaves empty.
    """

    schema: Schema
    sources: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)


def parse_map(schema: Schema, texts: Iterable[str], defaults: Mapping[str, object] | None = None) -> ColumnMap:
    """A `ColumnMap` from texts such as "id=movie_id" and "kind=:media". Raises `InvalidInput` naming `map`."""
    sources: dict[str, str] = {}
    constants: dict[str, object] = {}
    for text in texts:
        ours, equals, theirs = text.partition("=")
        ours = ours.strip()
        if not equals or not theirs or theirs == ":":
            raise InvalidInput("map", text, "OUR=THEIRS for a column, or OUR=:value for a constant")
        if not schema.knows(ours):
            raise InvalidInput("map", text, f"one of our columns before the =: {', '.join(schema.names)}")
        if ours in sources or ours in constants:
            raise InvalidInput("map", text, f"{ours} only once")
        if theirs.startswith(":"):
            constants[ours] = typed_text(theirs[1:]) if ours.startswith("attributes.") else theirs[1:]
        else:
            sources[ours] = theirs
    return ColumnMap(schema, sources, constants, dict(defaults or {}))


def check_columns(columns: Sequence[str], mapping: ColumnMap, file: ImportFile) -> None:
    """Raise `InvalidInput` unless every needed column can be had from `columns`."""
    found = set(columns)
    given = mapping.constants.keys() | mapping.defaults.keys()
    missing = [
        " or ".join(group)
        for group in mapping.schema.needed
        if not any(name in given or mapping.sources.get(name, name) in found for name in group)
    ]
    if not missing:
        return
    example = missing[0].split(" or ")[0]
    separator = next((name for sign, name in ((";", "semicolons"), ("\t", "tabs")) if len(columns) == 1 and sign in columns[0]), "")
    hint = f"the file seems to be separated by {separator}, write it with commas"
    if not separator:
        hint = f"name foreign columns with --map, as in --map {example}=THEIRS"
    raise InvalidInput(
        f"columns of {file.name}",
        f"{len(columns)} columns without {', '.join(missing)}",
        f"{mapping.schema.name} with at least {', '.join(' or '.join(group) for group in mapping.schema.needed)}; "
        f"columns found: {', '.join(columns) or 'none'}; " + hint,
    )


def check_mapped(absent: Iterable[str], columns: Iterable[str], mapping: ColumnMap, file: ImportFile) -> None:
    """Raise `InvalidInput` where --map names one of the `absent` foreign columns: a typo there would drop data, such as a
    refusal of consent, without a word."""
    lost = set(absent)
    for ours, theirs in mapping.sources.items():
        if theirs in lost:
            found = ", ".join(columns) or "none"
            raise InvalidInput("map", f"{ours}={theirs}", f"a column that {file.name} has; columns found: {found}")


class ColumnPicker:
    """Picks our columns out of the rows of one file, and remembers the names of those that it had no use for."""

    def __init__(self, mapping: ColumnMap) -> None:
        self._mapping = mapping
        self._ours: dict[str, tuple[str, ...]] = {}
        self._unknown: dict[str, None] = {}
        self._absent = set(mapping.sources.values())

    @property
    def absent(self) -> frozenset[str]:
        """Foreign columns of the map that no row so far had."""
        return frozenset(self._absent)

    @property
    def found(self) -> tuple[str, ...]:
        """Columns that the rows so far had, at most 1,000."""
        return tuple(self._ours)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Columns that were ignored, at most 100."""
        return tuple(self._unknown)

    @property
    def constants(self) -> Mapping[str, object]:
        """What holds for every row, by our columns."""
        return self._mapping.constants

    def notice(self, columns: Iterable[str]) -> None:
        """Take note of the columns that a row has, as `pick` does."""
        for theirs in columns:
            if theirs not in self._ours:
                self._names_for(theirs)

    def sources(self) -> dict[str, str]:
        """The foreign column of each of ours that the rows so far had."""
        return {ours: theirs for theirs, names in self._ours.items() for ours in names}

    def pick(self, values: Mapping[str, object]) -> dict[str, object]:
        """Our columns of one row; those that are empty are left out."""
        picked = dict(self._mapping.defaults)
        for theirs, value in values.items():
            names = self._ours.get(theirs)
            if names is None:
                names = self._names_for(theirs)
            # Most values are text, so the common case comes without a call.
            if names and (value if type(value) is str else not is_missing(value)):
                for ours in names:
                    picked[ours] = value
        picked.update(self._mapping.constants)
        return picked

    def _names_for(self, theirs: str) -> tuple[str, ...]:
        mapping = self._mapping
        self._absent.discard(theirs)
        names = [ours for ours, source in mapping.sources.items() if source == theirs]
        taken = theirs in mapping.sources or theirs in mapping.constants
        if mapping.schema.knows(theirs) and not taken:
            names.append(theirs)
        if not names and not taken:
            if len(self._unknown) >= UNKNOWN_LIMIT:
                return ()
            self._unknown[theirs] = None
        if len(self._ours) < 10 * UNKNOWN_LIMIT:
            self._ours[theirs] = tuple(names)
        return tuple(names)
