"""The columns that an import understands; `docs/import.md` lists them and a test keeps the two equal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column. `form` says how its values are written, `meaning` what they say."""

    name: str
    required: bool
    form: str
    meaning: str


@dataclass(frozen=True)
class Schema:
    """The columns of one kind of file.

    `families` are prefixes: a column named with one of them and a name of the user's own is understood as well.
    `needed`: of each group at least one column must be there.
    """

    name: str
    columns: tuple[Column, ...]
    families: tuple[str, ...]
    needed: tuple[tuple[str, ...], ...]

    def knows(self, name: str) -> bool:
        """Whether `name` is a column of this schema or belongs to one of its families."""
        return name in {column.name for column in self.columns} or any(
            name.startswith(family) and len(name) > len(family) for family in self.families
        )

    @property
    def names(self) -> tuple[str, ...]:
        """All names for a message, families written as `prefix<name>`."""
        return (*(column.name for column in self.columns), *(f"{family}<name>" for family in self.families))


ITEMS = Schema(
    name="items",
    columns=(
        Column("id", True, "text", "The item's own id, 1 to 256 characters."),
        Column("kind", True, "text", "article, product or media; --kind fills what is empty."),
        Column("title", False, "text", "At most 2,000 characters."),
        Column("text", False, "text", "What is embedded after the title; at most 200,000 characters."),
        Column("language", False, "text", "BCP 47 tag, such as en or pt-BR."),
        Column("categories", False, "labels", "At most 100 labels of at most 200 characters."),
        Column("tags", False, "labels", "At most 100 labels of at most 200 characters."),
        Column("author", False, "text", "Who wrote or made it."),
        Column("brand", False, "text", "The brand or label."),
        Column("owner", False, "text", "The seller, publisher or channel whose item it is."),
        Column("published_at", False, "time", "When it was published; items without it never count as fresh."),
        Column("valid_from", False, "time", "May be shown from this moment."),
        Column("valid_to", False, "time", "May be shown until before this moment."),
        Column("price", False, "number", "0 or more, in the shop's own currency."),
        Column("image_url", False, "text", "Address of a picture."),
        Column("embedding", False, "vector", "The item's own vector; of the same length for all items that bring one."),
        Column("attributes", False, "object", "Typed attributes by name: text, numbers, true or false; at most 100."),
    ),
    families=("attributes.",),
    needed=(("id",), ("kind",)),
)

EVENTS = Schema(
    name="events",
    columns=(
        Column("id", False, "text", "Identifies the event; made from subject, item, type and time where it is empty."),
        Column(
            "type",
            True,
            "text",
            "impression, view, click, read, watch, like, dislike, hide, save, share, cart, purchase or custom.",
        ),
        Column("user_id", False, "text", "The signed-in person; this or session_id is needed."),
        Column("session_id", False, "text", "The anonymous session; not looked at where user_id is given."),
        Column("item_id", True, "text", "The id of an item in the catalogue."),
        Column("at", True, "time", "When it happened."),
        Column("value", False, "number", "The event's amount: a rating, a price paid, a number of units."),
        Column("portion", False, "number", "For read and watch: how much of the item, 0 to 1."),
        Column("dwell_s", False, "number", "For read and watch: for how long, in seconds."),
        Column("custom", False, "text", "The name of a custom event, 1 to 200 characters."),
        Column("token", False, "text", "The item token of the feed that showed the item."),
        Column("context", False, "object", "Texts by name, at most 100 pairs of at most 200 characters."),
        Column(
            "consent",
            False,
            "consent",
            "What the person allows; where it is empty, what the person last said holds, or the deployment's default.",
        ),
        Column("consent.personalise", False, "flag", "May shape this person's own feeds."),
        Column("consent.train", False, "flag", "May be learnt from by models that serve everybody."),
        Column("consent.measure", False, "flag", "May be counted in reports and experiments."),
    ),
    families=("context.",),
    needed=(("type",), ("user_id", "session_id"), ("item_id",), ("at",)),
)
