"""`recommender feed`: ask a running server for a feed and print it for a reader."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recommender.client import Client, ClientError, Feed
from recommender.settings import load_settings


@click.command(short_help="Ask a running server for a feed and print it.")
@click.option("--user", default="", help="Id of a signed-in person.")
@click.option("--session", default="", help="Id of an anonymous session.")
@click.option("--placement", default="", help="Name of the placement; the first configured one by default.")
@click.option("--filter", "condition", default="", help='A condition in CEL, such as: kind == "media" && "Comedy" in categories.')
@click.option("--size", type=click.IntRange(1, 100), default=10, show_default=True, help="How many items.")
@click.option("--explain", is_flag=True, help="Show what each source added to each score.")
@click.option("--target", default=None, help="Address of the server, host:port; that of the settings by default.")
def feed(user: str, session: str, placement: str, condition: str, size: int, explain: bool, target: str | None) -> None:
    """Ask a running server for the feed of a user or a session and print it."""
    if bool(user) == bool(session):
        raise click.UsageError("give either --user or --session")
    with Client(target or load_settings().listen) as client:
        try:
            answer = client.get_feed(user=user, session=session, placement=placement, filter=condition, page_size=size, explain=explain)
        except ClientError as error:
            raise click.ClickException(f"{error} ({error.code.name})") from error
    print_feed(answer, Console(highlight=False), explain=explain)


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
