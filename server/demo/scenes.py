"""The demo's scenes: feeds for people whom everybody understands, printed with titles and reasons."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recommender.client import Client, Feed, FeedItem
from recommender.events import Event, EventType, Subject
from recommender.generation import Manifest
from recommender.judging import Interval
from recommender.judging.comparison import shown_interval
from recommender.settings import load_settings
from recommender.store import open_store

PLACEMENT = "home"
SIZE = 8
KNOWN_USER = "u373"
CLICKS = ("ml-50", "ml-172")
"""Star Wars (1977) and The Empire Strikes Back (1980), in MovieLens' numbering."""
SEED = "ml-98"
"""The Silence of the Lambs (1991)."""
FILTER = '"Comedy" in categories && attributes.year >= 1995'


def judged_table(manifest: Manifest) -> Table:
    """What the build measured on held-out time, from its manifest; "at-cut" rows reveal nothing after the cut."""
    table = Table(title=f"Judged: {manifest.judged}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("variant", "NDCG@10", "Recall@10"):
        table.add_column(heading, justify="left" if heading == "variant" else "right", no_wrap=True)
    figures = {metric.name: metric for metric in manifest.metrics}
    for variant in dict.fromkeys(name.rsplit("/", 1)[0] for name in figures):
        cells = (figures[f"{variant}/{metric}"] for metric in ("ndcg@10", "recall@10"))
        shown = (shown_interval(Interval(m.mean, m.low, m.high)) for m in cells)
        table.add_row(variant, *shown, style="bold" if variant == "blend" else "")
    return table


def play(client: Client, data: Path, console: Console) -> None:
    """Ask for every kind of feed and print the answers."""
    _heading(console, f"A known user ({KNOWN_USER})", f"liked lately: {'; '.join(liked_lately(data, KNOWN_USER))}")
    print_items(console, client.get_feed(user=KNOWN_USER, placement=PLACEMENT, page_size=SIZE))

    newcomer = f"newcomer-{secrets.token_hex(4)}"
    _heading(console, "A brand-new user", "nothing is known, so what is popular")
    print_items(console, client.get_feed(user=newcomer, placement=PLACEMENT, page_size=SIZE))

    session = f"session-{secrets.token_hex(4)}"
    _heading(console, "An anonymous session", "its first request")
    before = client.get_feed(session=session, placement=PLACEMENT, page_size=SIZE)
    print_items(console, before)

    clicked = client.get_items(CLICKS)
    titles = [stored.item.title for stored in clicked.items]
    tokens = {item.id: item.token for item in before.items}
    client.record(click(session, item_id, tokens.get(item_id, "")) for item_id in CLICKS)
    after = client.get_feed(session=session, placement=PLACEMENT, page_size=SIZE)
    kept = len({item.id for item in before.items} & {item.id for item in after.items})
    _heading(console, "The same session after two clicks", f"clicked {' and '.join(titles)}; {SIZE - kept} of {SIZE} items are new")
    print_items(console, after)

    seed = client.get_items([SEED]).items[0].item
    _heading(console, f"Similar to {seed.title}", "no person involved")
    print_items(console, client.get_similar([SEED], placement=PLACEMENT, page_size=SIZE))

    _heading(console, f"A filtered feed for {KNOWN_USER}", FILTER)
    print_items(console, client.get_feed(user=KNOWN_USER, placement=PLACEMENT, page_size=SIZE, filter=FILTER))


def click(session: str, item_id: str, token: str) -> Event:
    """A click of a session now, with the token of the feed that showed the item, if one did."""
    event_id = f"demo-{secrets.token_hex(8)}"
    return Event(event_id, EventType.CLICK, Subject.session(session), item_id, at=datetime.now(UTC), token=token)


def liked_lately(data: Path, user: str, most: int = 4) -> Sequence[str]:
    """Titles of what a user liked last, the newest first."""
    with open_store(load_settings(data=data).store_path) as store:
        history = store.read_person(Subject.user(user)).person.history
        numbers = history["item"][history["type"] == EventType.LIKE][::-1][:most]
        return [stored.item.title for stored in store.get_items_by_number([int(number) for number in numbers])]


def print_items(console: Console, feed: Feed) -> None:
    """The items of a feed with their reasons, and what the feed rests on."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for place, item in enumerate(feed.items, 1):
        table.add_row(str(place), *_cells(item))
    console.print(table)
    console.print(f"   basis {feed.basis.name}, generation {feed.generation_id}, {feed.eligible_items} items to choose from", style="dim")


def _cells(item: FeedItem) -> tuple[str, str]:
    return escape(item.title or item.id), f"[dim]{escape(item.reason)}[/dim]"


def _heading(console: Console, title: str, remark: str) -> None:
    console.print()
    console.print(f"[bold]{escape(title)}[/bold]  [dim]{escape(remark)}[/dim]", soft_wrap=True)
