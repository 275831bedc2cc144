"""What comes next: a transformer over people's items in their order (SASRec: Kang & McAuley, ICDM 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.apart import done_apart
from indexing.learn.singular_vectors import balanced, right_singular_vectors
from indexing.standing import Standing
from recommender.event_table import EventTable
from recommender.events import Consent
from recommender.generation.catalogue import Catalogue
from recommender.profile import BuildSettings, Sequence
from recommender.sequence_model import Floats, SequenceModel

BATCH_TOKENS = 4_096
"""Next items that are learnt from in a step, those of people with histories of about the same length."""
POPULAR_SHARE = 0.5
"""Share of the drawn items that are drawn by how often they occur; the others are drawn evenly."""
WARMING_STEPS = 100
"""Steps at the start during which steps become larger, at most a quarter of all."""
LEAST_STEP = 0.02
"""Share of the learning rate to which steps fall at the end."""
BETAS = (0.9, 0.98)
"""How slowly Adam forgets slopes and their squares."""
ITERATIONS = 4
"""Multiplications by which the singular vectors are made that items start from."""
SAMPLED = 200
"""People after whose histories it is seen what chances usually sum to."""
SHORTEST = np.float32(1e-6)
"""Length up to which an item's singular vectors say nothing of it."""

Places = npt.NDArray[np.int64]
Items = npt.NDArray[np.int32]


def sequence_model(
    events: EventTable, catalogue: Catalogue, settings: BuildSettings, *, earlier: SequenceModel | None = None
) -> SequenceModel:
    """A transformer of which every item after a person's first was to be foreseen from those before it.

    An item stands once for each person, at its newest event (`Standing`); the newest `length` next items of each person are
    learnt from. Items start at the leading singular vectors of who has what, each by the root of its singular value and items at
    length 1. The loss is a sampled softmax over the true next item and `negatives` others, drawn for each step half by how often
    they occur and half evenly, whose logits are corrected for that (Yi et al., RecSys 2019), so that the served scores are
    logarithms of chances among all items.

    Nothing is learnt from events without any order, nor from fewer next items than `fewest`. Events of equal time go by the order
    of their arrival. The same events, settings and seed give the same bytes on one machine.

    It is learnt in a process of its own. Steps are made of many small sums, which beside learners in threads of the same process wait for
    the interpreter; and how many threads BLAS has, on which last bits depend, is one number for all of a process, which others set for
    themselves.

    `earlier`: a model of some of these events alone. Where there are more next items than can be learnt from as often as `passes` says,
    learning starts from there, and from a share of them; where there are fewer, it makes no difference.

    Four numbers of 4 bytes are held for every number of the model, and as much again while singular vectors are made; besides, memory
    grows with events only by their sorting. What a step takes goes by the items that it touches, however many there are.
    """
    n, options = catalogue.n, settings.sequence
    standing = _liked(events, catalogue, settings)
    counts, ordered, person = np.bincount(standing.item, minlength=n), standing.ordered, standing.person
    rows = np.flatnonzero(counts)
    # From here on items are numbered among those that anybody had.
    item = (np.cumsum(counts > 0, dtype=np.int32) - 1)[standing.item]
    del standing
    people = _People.of(person, item, options.length)
    if not ordered or people.tokens.sum() < options.fewest:
        return SequenceModel.none(n)
    known = earlier if earlier is not None and _is_much(people, options) and earlier.known.any() else None
    # Without what it has worked out for itself so far.
    told = _Told(person, item, rows, counts[rows], n, options, settings.seed, None if known is None else replace(known))
    return done_apart("the sequence model", _trained, told)


@dataclass(frozen=True, eq=False)
class _Told:
    """All that a model is trained by: `person` and `item`, shape (k,), in order of person and time, items numbered among the m that anybody
    had, which stand at `rows`, shape (m,), of n and of which there are `counts`, shape (m,); `known`, what learning starts from."""

    person: Items
    item: Items
    rows: Places
    counts: Places
    n: int
    options: Sequence
    seed: int
    known: SequenceModel | None


def _trained(told: _Told) -> SequenceModel:
    """See `sequence_model`."""
    # Imported here because it takes seconds.
    import torch

    from indexing.learn.next_item import NextItem
    from indexing.learn.row_adam import RowAdam

    person, item, rows, options, known = told.person, told.item, told.rows, told.options, told.known
    rng = np.random.default_rng(told.seed)
    every = _People.of(person, item, options.length)
    people, passes = _within(every, options, rng, share=1.0 if known is None else options.later_share)
    share = POPULAR_SHARE * told.counts / told.counts.sum() + (1 - POPULAR_SHARE) / len(rows)
    until = np.cumsum(share)
    steps = passes * len(people.batches())
    warming = min(WARMING_STEPS, max(1, steps // 4))
    halved = _multiplies_halves()
    with _own_torch(told.seed):
        model = NextItem(_start(person, item, options, told.seed), options)
        if known is not None:
            model.start_from(known, rows)
        optimiser = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, betas=BETAS, weight_decay=0.0, fused=True)
        vectors, biases = RowAdam(model.items, BETAS, steps), RowAdam(model.bias, BETAS, steps)
        for step, (items, targets) in enumerate(people.read(rng, passes)):
            drawn = np.minimum(np.searchsorted(until, rng.random(options.negatives), side="right"), len(rows) - 1)
            expected = torch.from_numpy((options.negatives * share[drawn]).astype(np.float32))
            real = targets >= 0
            touched, place = np.unique(np.concatenate([items[items >= 0], targets[real], drawn]), return_inverse=True)
            read, true, others = (torch.from_numpy(part) for part in np.split(place, np.cumsum([(items >= 0).sum(), real.sum()])))
            numbered = torch.full(items.shape, len(touched))
            numbered[torch.from_numpy(items >= 0)] = read
            some, bias = vectors.at(touched), biases.at(touched)
            padded = torch.cat([some, torch.zeros(1, some.shape[1])])
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=halved):
                states = model(numbered, padded)[torch.from_numpy(real)]
                loss = model.loss(states, true, others, expected, padded, bias)
            rate = options.learning_rate * min(1, (step + 1) / warming) * max(LEAST_STEP, 1 - step / steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            for table, part in ((vectors, some), (biases, bias)):
                assert part.grad is not None
                table.step(touched, part.grad, rate)
        vectors.finish()
        biases.finish()
        served = model.eval().served(rows, told.n)
    return replace(served, usual=_usual_total(served, person, item, rows.astype(np.int32), options.length))


def _liked(events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> Standing:
    """What people had and did not dislike in the end."""
    standing = Standing.of(events, catalogue, settings)
    return standing.where(standing.weight > 0)


def _usual_total(model: SequenceModel, person: Items, item: Items, rows: Items, length: int) -> float:
    """The mean of the model's total after histories of `SAMPLED` people at the most; `person` and `item`, shape (m,), in their order, items
    being those at `rows`."""
    ends = np.flatnonzero(np.append(person[1:] != person[:-1], True)) + 1
    starts = np.concatenate([[0], ends[:-1]])
    chosen = np.unique(np.linspace(0, len(ends) - 1, min(SAMPLED, len(ends))).astype(np.int64))
    return float(
        np.mean([model.total(rows[item[max(start, end - length) : end]]) for start, end in zip(starts[chosen], ends[chosen], strict=True)])
    )


def settings_of_parts(events: EventTable, catalogue: Catalogue, settings: BuildSettings) -> BuildSettings:
    """Settings under which a fit on a part of `events` has a model if one on all of them has: the same, or without a least number.

    What is blended on a part has to be what is served: a model that only the whole is large enough for would never be heard.
    """
    standing = _liked(events.consenting(Consent.TRAIN), catalogue, settings)
    people = _People.of(standing.person, standing.item, settings.sequence.length)
    if people.tokens.sum() < settings.sequence.fewest:
        return settings
    return settings.model_copy(update={"sequence": settings.sequence.model_copy(update={"fewest": 1})})


@dataclass(frozen=True, eq=False)
class _People:
    """What p people with a next item did. `item`: flat, shape (m,), oldest first. `ends`: shape (p,), one after the last of each.
    `tokens`: shape (p,), ≥ 1, how many next items each is learnt from."""

    item: Items
    ends: Places
    tokens: Places

    @classmethod
    def of(cls, person: Items, item: Items, length: int) -> _People:
        """From `person` and `item`, shape (m,), in order of person and time: the newest `length` next items of each."""
        visits = np.bincount(person)
        several = visits > 1
        return cls(item, np.cumsum(visits)[several], np.minimum(visits[several] - 1, length))

    def chosen(self, places: Places) -> _People:
        """The people at `places`."""
        return _People(self.item, self.ends[places], self.tokens[places])

    def batches(self) -> list[slice]:
        """Slices of the people in order of their tokens, of at most `BATCH_TOKENS` each when all are as long as the longest."""
        ordered = np.sort(self.tokens)
        slices: list[slice] = []
        start = 0
        while start < len(ordered):
            stop = min(len(ordered), start + max(1, BATCH_TOKENS // int(ordered[start])))
            stop = min(stop, start + max(1, BATCH_TOKENS // int(ordered[stop - 1])))
            slices.append(slice(start, stop))
            start = stop
        return slices

    def read(self, rng: np.random.Generator, passes: int) -> Iterator[tuple[Places, Places]]:
        """All people `passes` times: items and for each the one that came next, both shape (b, l), newest last, -1 for none."""
        slices = self.batches()
        for _ in range(passes):
            # Who is in a batch with whom, and which batch comes when, differs from pass to pass.
            order = np.lexsort((rng.random(len(self.tokens)), self.tokens))
            for place in rng.permutation(len(slices)):
                chosen = order[slices[place]]
                tokens = self.tokens[chosen][:, None]
                back = np.arange(int(tokens.max()), -1, -1)
                read = np.where(back <= tokens, self.item[np.maximum(self.ends[chosen][:, None] - 1 - back, 0)], -1)
                yield read[:, :-1], np.where(read[:, :-1] < 0, -1, read[:, 1:])


def _is_much(people: _People, options: Sequence) -> bool:
    """Whether `most_tokens` leaves fewer passes than wanted."""
    return bool(options.passes * people.tokens.sum() > options.most_tokens)


def _within(people: _People, options: Sequence, rng: np.random.Generator, *, share: float = 1.0) -> tuple[_People, int]:
    """People and passes that together stay within a `share` of `most_tokens`."""
    every, allowed = int(people.tokens.sum()), int(options.most_tokens * share)
    if every <= allowed:
        return people, min(options.passes, allowed // every)
    order = rng.permutation(len(people.tokens))
    most = max(1, int(np.searchsorted(np.cumsum(people.tokens[order]), allowed, side="right")))
    return people.chosen(np.sort(order[:most])), 1


def _start(person: Items, item: Items, options: Sequence, seed: int) -> Floats:
    """What m items start from, shape (m, d), d being `factors` taken up to a multiple of `heads`: numbers beyond the singular vectors
    that there are start at 0."""
    width = -(-options.factors // options.heads) * options.heads
    ends = np.concatenate([[0], np.cumsum(np.bincount(person))]).astype(np.int32)
    matrix = sp.csr_array((np.ones(len(item), dtype=np.float32), item.copy(), ends), shape=(len(ends) - 1, int(item.max()) + 1))
    matrix.sort_indices()
    values, vectors = right_singular_vectors(balanced(matrix), width, iterations=ITERATIONS, seed=seed)
    scaled = vectors * np.sqrt(values)
    start = np.zeros((matrix.shape[1], width), dtype=np.float32)
    start[:, : len(values)] = scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), SHORTEST)
    return start


def _multiplies_halves() -> bool:
    """Whether this processor multiplies matrices of bfloat16, faster than others.

    Then steps do, while what they move stays in single precision. It takes a third off a step and changes nothing that can be measured:
    from the same random numbers NDCG@10 of the model alone is .05754 instead of .05757 on Beauty, ±.0025.
    """
    import torch

    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


@contextmanager
def _own_torch(seed: int) -> Iterator[None]:
    """torch with a seed and on one thread; afterwards with its own again.

    Two threads gain a fifth on steps so small, and where other work keeps the cores busy they wait for each other thirty times as long
    as one takes, unless the environment has OMP_WAIT_POLICY=passive.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
