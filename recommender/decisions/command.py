"""`recommender decisions`: explain a decision, and make decisions again, straight from a deployment's data folder."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

from recommender.decisions.explanation import Explanation, explained
from recommender.decisions.rebuilding import Rebuilder, sorted_for_rebuilding
from recommender.decisions.replay import replayed
from recommender.errors import Gone, InvalidInput, NotFound
from recommender.generation import Generations
from recommender.reasons import reason_text
from recommender.settings import load_settings
from recommender.store import Decision, Store, open_store

_DATA = click.option("--data", type=click.Path(path_type=Path), help="Folder of store, generations and caches.")


@click.group(name="decisions")
def decisions_group() -> None:
    """Explain decisions, and make them again from their records."""


@contextmanager
def _opened(data: Path | None) -> Iterator[tuple[Store, Rebuilder]]:
    settings = load_settings(data=data)
    with open_store(settings.store_place) as store:
        yield store, Rebuilder(store, Generations(settings.generations_path), settings.deltas_path)


def _decision(store: Store, text: str) -> Decision:
    try:
        decision_id = UUID(text).bytes
    except ValueError:
        raise InvalidInput("DECISION", text, "the decision_id of an answer: 32 hex digits") from None
    decision = store.get_decision(decision_id)
    if decision is None:
        raise NotFound("record of the decision", text, "it may have expired")
    return decision


@decisions_group.command()
@click.argument("decision")
@click.argument("item")
@_DATA
def explain(decision: str, item: str, data: Path | None) -> None:
    """Say stage by stage how ITEM came into DECISION, or what kept it out.

    DECISION is the decision_id that an answer names.
    """
    with _opened(data) as (store, rebuilder):
        numbers = store.item_numbers([item])
        if item not in numbers:
            raise NotFound("item", item)
        found = explained(rebuilder.rebuilt(_decision(store, decision)), numbers[item])
        named = () if found.reason is None else found.reason.because
        titles = {stored.number: stored.item.title for stored in store.get_items_by_number(list(named))}
    console = Console(highlight=False)
    for line in _lines(found, titles):
        console.print(line, markup=False)
    if found.sources:
        table = Table("source", "rank", "strength", "weight", "part of the score")
        for said in found.sources:
            table.add_row(said.source.key, str(said.rank), f"{said.strength:.4g}", f"{said.weight:.4g}", f"{said.added:.4g}")
        console.print(table)
    if found.features:
        table = Table("the ranker looked at", "value")
        for name, value in found.features:
            table.add_row(name, f"{value:.4g}")
        console.print(table)


def _lines(found: Explanation, titles: dict[int, str]) -> Iterator[str]:
    yield f"{found.eligible:,} items passed all limits; {found.candidates:,} of them were proposed and ranked"
    if found.rank:
        yield f"by its score of {found.score:.6g} it was number {found.rank}"
    for rule in found.rules:
        yield f"rule {rule.name}: {rule.does}, {rule.effect}"
    if found.kept < 1:
        yield f"seen and passed over: {found.kept:.0%} of its score was left"
    if found.place:
        how = "" if found.probability == 1 else f", with a chance of {found.probability:.4g}"
        yield f"place {found.place} of the slate, {found.placing.name.lower()}{how}"
    if found.reason is not None:
        yield f"the reader is told: {reason_text(found.reason, titles)}"
    if found.stop is not None:
        yield f"not shown ({found.stop.stage}): {found.stop.detail}"
    for doubt in found.inexact:
        yield f"may be otherwise than it was: {doubt}"


@decisions_group.command()
@click.argument("decision", required=False)
@click.option("--sample", type=click.IntRange(1, 1_000_000), help="Make so many decisions again, drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="What the sample is drawn by.")
@_DATA
def replay(decision: str | None, sample: int | None, seed: int, data: Path | None) -> None:
    """Make DECISION again from its record, or a sample of all; exit code 1 where one differs that should not.

    Those of which it is told that something may be otherwise than it was may differ.
    """
    if (decision is None) == (sample is None):
        raise click.UsageError("give either DECISION or --sample")
    with _opened(data) as (store, rebuilder):
        if decision is not None:
            chosen = [_decision(store, decision)]
        else:
            drawn = random.Random(seed).sample(every, min(sample or 0, len(every))) if (every := list(store.decision_ids())) else []
            chosen = sorted_for_rebuilding([found for each in drawn if (found := store.get_decision(each)) is not None])
        counts, differing = Counter[str](), list[str]()
        for each in chosen:
            try:
                made = replayed(rebuilder, each)
            except Gone as gone:
                counts["cannot be made again"] += 1
                if decision is not None:
                    raise
                click.echo(f"{each.id.hex()}: {gone}", err=True)
                continue
            counts["equal" if made.equal else "differ, as they may" if made.inexact else "differ"] += 1
            if not made.equal:
                why = f" ({'; '.join(made.inexact)})" if made.inexact else ""
                click.echo(f"{each.id.hex()}: differs from place {made.differs_at + 1} on{why}", err=True)
                differing += [] if made.inexact else [each.id.hex()]
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()))
    click.echo(f"{len(chosen):,} decisions made again: {told or 'none'}")
    if differing:
        raise click.exceptions.Exit(1)
