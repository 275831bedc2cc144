"""`recommender health`: ask a running server whether it serves, as the probes of containers and orchestrators do."""

from __future__ import annotations

import click

from recommender.client import Client, ClientError
from recommender.errors import InvalidInput
from recommender.settings import load_settings
from server.addresses import Address

NOT_SERVING = 1


@click.command(short_help="Ask a running server whether it serves; exit status 0 if it does.")
@click.option("--listen", metavar="ADDRESS", help="Where the server listens, host:port; the setting by default.")
@click.option("--service", default="", metavar="NAME", help="Full name of a service; without one, whether feeds are made.")
@click.option("--timeout", type=click.FloatRange(0.1, 60), default=3.0, show_default=True, help="Seconds to wait for an answer.")
def health(listen: str | None, service: str, timeout: float) -> None:
    """Ask the health service of a running server once.

    A server that listens on 0.0.0.0 or [::] is asked on loopback. Without a service it serves as soon as a generation is loaded; event,
    catalogue and generation services do from the start. Exit status: 0 it serves, 1 it does not, or does not answer in time, 2 wrong usage.
    """
    given = load_settings(listen=listen).listen
    address = Address.parse(given, "listen").to_reach()
    if not address.port:
        raise InvalidInput("setting listen", given, "the port that the server has taken, instead of 0")
    with Client(str(address), timeout_s=timeout) as client:
        try:
            serving = client.serves(service)
        except ClientError as error:
            raise click.ClickException(f"{address}: {error} ({error.code.name})") from error
    click.echo("SERVING" if serving else "NOT_SERVING")
    if not serving:
        click.get_current_context().exit(NOT_SERVING)
