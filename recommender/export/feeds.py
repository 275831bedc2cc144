"""Everybody's feed into one Parquet file: people are walked in short spans, in as many processes as wanted, and written in order."""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recommender.errors import InvalidInput, NoGeneration, RecommenderError
from recommender.events import Consent, SubjectKind
from recommender.export.rows import SCHEMA
from recommender.export.whole_file import whole_file
from recommender.export.worker import Made, Wanted, Worker, start, work
from recommender.generation import Generations
from recommender.placements import SLATE_LIMIT, Placement
from recommender.settings import Settings
from recommender.store import open_store

SPAN = 500
"""People's numbers that are walked at a time."""
ROW_GROUP = 20_000
"""Rows of one row group of the file; so many are held in memory."""
AHEAD = 2
"""Spans given to each process ahead of what is written."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Exported:
    """How many feeds were written, of which generation; seconds by the clock and, of making feeds alone, of processor time."""

    feeds: int
    generation_id: str
    wall_s: float
    cpu_s: float


def export_feeds(
    settings: Settings,
    placement: Placement,
    output: Path,
    *,
    now: datetime,
    size: int,
    kind: SubjectKind | None = SubjectKind.USER,
    consenting_only: bool = False,
    filter: str = "",
    language: str = "",
    workers: int = 1,
    people: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Exported:
    """Write the first `size` items of each person's feed to `output`, in the order in which people were first heard of.

    With `people`, of the first so many alone.

    The feeds are those that a server would serve at `now` with the active generation, the catalogue being as it is when the export
    starts. `workers` processes share the work; with one it is done here. `progress(done, total)` counts people's numbers. The file is
    there whole or not at all. Raises `NoGeneration`, `InvalidInput` for a size or filter that is not allowed, and what opening store,
    generation and file raises.
    """
    if not 1 <= size <= SLATE_LIMIT:
        raise InvalidInput("size", size, f"1 to {SLATE_LIMIT}")
    started = time.monotonic()
    wanted, last = _wanted(settings, placement, now, size, kind, consenting_only, filter, language)
    last = last if people is None else min(last, people)
    spans = [(after, min(after + SPAN, last)) for after in range(0, last, SPAN)]
    feeds, cpu_s, waiting = 0, 0.0, 0
    batches: list[pa.RecordBatch] = []
    with whole_file(output) as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        with closing(_made(wanted, spans, workers)) as parts:
            for (_, upto), made in zip(spans, parts, strict=True):
                batches.append(made.rows)
                feeds, cpu_s, waiting = feeds + made.rows.num_rows, cpu_s + made.cpu_s, waiting + made.rows.num_rows
                if waiting >= ROW_GROUP:
                    _write(writer, batches)
                    waiting = 0
                progress(upto, last)
        if waiting:
            _write(writer, batches)
    return Exported(feeds, wanted.generation_id, time.monotonic() - started, cpu_s)


def _wanted(
    settings: Settings,
    placement: Placement,
    now: datetime,
    size: int,
    kind: SubjectKind | None,
    consenting_only: bool,
    filter: str,
    language: str,
) -> tuple[Wanted, int]:
    """What is wanted, checked, and the highest number of a person."""
    with open_store(settings.store_place) as store:
        generations = Generations(settings.generations_path)
        if settings.generations is not None:
            from recommender.remote.generations import remote_of

            remote = remote_of(settings)
            assert remote is not None
            remote.follow(now=now)
        active = generations.current_id()
        if active is None:
            raise NoGeneration(f"no generation is active below {generations.root}; build one with `recommender reindex`")
        watermark = generations.verify(active).watermark
        changes = tuple(store.catalogue_changes(watermark))
        wanted = Wanted(
            store=settings.store_place,
            generations=settings.generations_path,
            deltas=settings.deltas_path,
            generation_id=active,
            placement=placement,
            size=size,
            kind=kind,
            consent_default=Consent.ALL if settings.consent_default == "all" else Consent.NONE,
            consenting_only=consenting_only,
            filter=filter,
            language=language,
            changes=changes,
            change=max([watermark, *(change.sequence for change in changes)]),
            upto=store.change_sequence(),
            now=now,
        )
        return wanted, store.last_person()


def _made(wanted: Wanted, spans: list[tuple[int, int]], workers: int) -> Generator[Made, None, None]:
    """What each of the `spans` comes to, in their order."""
    if workers == 1:
        with closing(Worker(wanted)) as worker:
            for span in spans:
                yield worker.made(*span)
        return
    # Spawned: threads of FAISS and Arrow do not survive a fork.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=start, initargs=(wanted,))
    given: deque[Future[tuple[bytes, float]]] = deque()
    left = iter(spans)
    try:
        for _ in range(AHEAD * workers):
            given.extend(pool.submit(work, *span) for span in _next(left))
        while given:
            rows, cpu_s = given.popleft().result()
            given.extend(pool.submit(work, *span) for span in _next(left))
            with pa.ipc.open_stream(rows) as stream:
                yield Made(stream.read_next_batch(), cpu_s)
    except BrokenProcessPool as error:
        raise RecommenderError("a process that makes feeds ended early, perhaps for want of memory; run the export again") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _next(left: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """The next span, in a list; none where all are given out."""
    span = next(left, None)
    return [] if span is None else [span]


def _write(writer: pq.ParquetWriter, batches: list[pa.RecordBatch]) -> None:
    """Write `batches` as one row group, and empty the list."""
    table = pa.Table.from_batches(batches, schema=SCHEMA).unify_dictionaries()
    writer.write_table(table, row_group_size=table.num_rows)
    batches.clear()
