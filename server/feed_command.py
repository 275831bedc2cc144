"""`recommender feed`: ask a running server for a feed and print it for a reader."""

from __future__ import annotations

from datetime import timedelta

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recommender.client import Client, ClientError, Feed, HistoryList
from recommender.settings import load_settings
from server.printed_lists import Length, print_history

LISTS = ("feed", "popular", *(wanted.name.lower() for wanted in HistoryList))


@click.command(short_help="Ask a running server for a feed and print it.")
@click.option("--user", default="", help="Id of a signed-in person.")
@click.option("--session", default="", help="Id of an anonymous session.")
@click.option("--list", "wanted", type=click.Choice(LISTS), default="feed", show_default=True, help="What to ask for instead of the feed.")
@click.option("--placement", default="", help="Name of the placement; the first configured one by default.")
@click.option("--filter", "condition", default="", help='A condition in CEL, such as: kind == "media" && "Comedy" in categories.')
@click.option("--category", default="", help="Of what is popular, only this category.")
@click.option("--window", type=Length(), default=None, help="Of what is popular, only what happened in the last 24h, 7d or so.")
@click.option("--region", default="", help="Of what is popular, only what happened in this region.")
@click.option("--segment", default="", help="Of what is popular, only what people of this segment did.")
@click.option("--size", type=click.IntRange(1, 100), default=10, show_default=True, help="How many items.")
@click.option("--explain", is_flag=True, help="Show what each source added to each score.")
@click.option("--target", default=None, help="Address of the server, host:port; that of the settings by default.")
def feed(
    user: str,
    session: str,
    wanted: str,
    placement: str,
    condition: str,
    category: str,
    window: timedelta | None,
    region: str,
    segment: str,
    size: int,
    explain: bool,
    target: str | None,
) -> None:
    """Ask a running server for the feed of a user or a session and print it, or for a list of what they had lately, can continue with or
    may want again; or for what is popular with everybody."""
    if wanted != "popular" and bool(user) == bool(session):
        raise click.UsageError("give either --user or --session")
    if wanted == "popular" and (user or session):
        raise click.UsageError("what is popular is the same for everybody: give neither --user nor --session")
    if wanted != "popular" and (category or window or region or segment):
        raise click.UsageError("--category, --window, --region and --segment are for --list popular")
    if wanted != "feed" and explain:
        raise click.UsageError("--explain is for feeds")
    console = Console(highlight=False)
    with Client(target or load_settings().listen) as client:
        try:
            if wanted == "feed":
                answer = client.get_feed(user=user, session=session, placement=placement, filter=condition, page_size=size, explain=explain)
                print_feed(answer, console, explain=explain)
            elif wanted == "popular":
                popular = client.get_popular(
                    category=category,
                    placement=placement,
                    filter=condition,
                    page_size=size,
                    window=window,
                    region=region,
                    segment=segment,
                )
                print_feed(popular, console)
            else:
                listed = HistoryList[wanted.upper()]
                print_history(
                    client.get_history(listed, user=user, session=session, placement=placement, filter=condition, page_size=size), console
                )
        except ClientError as error:
            raise click.ClickException(f"{error} ({error.code.name})") from error


def print_feed(answer: Feed, console: Console, *, explain: bool = False, what: str = "feed") -> None:
    """Write `answer`, which is called `what`, as a table to `console`, with what it rests on below."""
    table = Table("", "title", "why", *(["score"] if explain else []), *(["from"] if explain else []))
    for place, item in enumerate(answer.items, start=1):
        row = [str(place), escape(item.title or item.id), escape(item.reason)]
        if explain:
            parts = (f"{part.source.key} {part.part:.4f}" + (f" (rank {part.rank})" if part.rank else "") for part in item.explanation)
            row += [f"{item.score:.4f}", ", ".join(parts)]
        table.add_row(*row)
    console.print(table)
    console.print(
        f"{answer.basis.name} {what} of placement {answer.placement} (version {answer.placement_version}) by generation "
        f"{answer.generation_id}; {answer.eligible_items} items to choose from",
        soft_wrap=True,
    )
    for entry in answer.degraded:
        console.print(f"left out: {escape(entry.what)} ({escape(entry.why)})")
