"""`recommender search`: ask a running server for what somebody might type, and print what it finds."""

from __future__ import annotations

import click
from rich.console import Console

from recommender.client import Client, ClientError
from recommender.settings import load_settings
from server.feed_command import print_feed


@click.command(short_help="Search a running server's catalogue and print what is found.")
@click.argument("query")
@click.option("--user", default="", help="Id of a signed-in person who searches.")
@click.option("--session", default="", help="Id of an anonymous session that searches.")
@click.option("--placement", default="", help="Name of the placement; the first configured one by default.")
@click.option("--filter", "condition", default="", help='A condition in CEL, such as: kind == "media" && "Comedy" in categories.')
@click.option("--language", default="", help="Leave items in other languages out, such as: en.")
@click.option("--size", type=click.IntRange(1, 100), default=10, show_default=True, help="How many items.")
@click.option("--explain", is_flag=True, help="Show how each score came about.")
@click.option("--target", default=None, help="Address of the server, host:port; that of the settings by default.")
def search(
    query: str, user: str, session: str, placement: str, condition: str, language: str, size: int, explain: bool, target: str | None
) -> None:
    """Search the catalogue of a running server for QUERY: a title, names, words or a description, also misspelt."""
    if user and session:
        raise click.UsageError("give --user or --session, not both")
    with Client(target or load_settings().listen) as client:
        try:
            answer = client.search(
                query,
                user=user,
                session=session,
                placement=placement,
                filter=condition,
                language=language,
                page_size=size,
                explain=explain,
            )
        except ClientError as error:
            raise click.ClickException(f"{error} ({error.code.name})") from error
    print_feed(answer, Console(highlight=False), explain=explain, what="answer")
