"""Weighted lists of more items than two bytes tell apart."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recommender import sum_kernels
from recommender.cause_kernels import causes_of_lists
from recommender.cores import cores
from recommender.lists import Lists, sections_of
from recommender.sum_kernels import looked_up, sum_lists


def drawn(n: int, *, seed: int = 0) -> sp.csr_array:
    """Weights that half precision holds as they are, some rows without any, columns in no order."""
    rng = np.random.default_rng(seed)
    lengths = np.where(rng.random(n) < 0.1, 0, rng.integers(0, 30, n)) if n < 1_000 else np.where(rng.random(n) < 0.98, 0, 40)
    columns = np.concatenate([np.zeros(0, dtype=np.int32), *(rng.choice(n, min(length, n), replace=False) for length in lengths)])
    ends = np.concatenate([[0], np.cumsum(np.minimum(lengths, n))])
    return sp.csr_array((rng.integers(1, 64, len(columns)).astype(np.float32), columns.astype(np.int32), ends), shape=(n, n))


@pytest.mark.parametrize(("n", "sections"), [(0, 1), (1, 1), (2**16, 1), (2**16 + 1, 2), (150_000, 3)])
def test_there_are_as_many_sections_as_two_bytes_need(n: int, sections: int) -> None:
    assert sections_of(n) == sections


def test_many_threads_add_up_at_once_and_one_that_fails_spoils_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 2_000
    lists = Lists.of(drawn(n))
    history = np.flatnonzero(lists.filled).astype(np.int32)[:200]
    jobs = [(history[start : start + 20], np.full(20, 1 + start, dtype=np.float32)) for start in range(0, 180, 20)] * 20

    def sums(job: tuple[np.ndarray, np.ndarray]) -> dict[int, float]:
        items, found, _ = sum_lists(lists, *job, np.float32(0))
        return dict(zip(items.tolist(), found.tolist(), strict=True))

    expected = [sums(job) for job in jobs]
    right = sum_kernels._summed

    def failing(*arguments: Any) -> Any:
        arguments[-1][:] = 7
        raise MemoryError

    for _ in range(3 * cores()):
        monkeypatch.setattr(sum_kernels, "_summed", failing)
        with pytest.raises(MemoryError):
            sums(jobs[0])
    monkeypatch.setattr(sum_kernels, "_summed", right)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(sums, jobs)) == expected


@pytest.mark.parametrize("n", [1, 50, 2**16, 2**16 + 1, 150_000])
def test_lists_hold_a_matrix_as_it_is(n: int) -> None:
    matrix = drawn(n)
    lists = Lists.of(matrix)
    assert lists.n == n
    assert (lists.matrix() != matrix).nnz == 0
    assert lists.filled.tolist() == (np.diff(matrix.indptr) > 0).tolist()
    assert lists.values.nbytes + lists.lows.nbytes == 4 * matrix.nnz


@pytest.mark.parametrize("n", [50, 150_000])
def test_sums_and_causes_are_those_of_the_matrix(n: int) -> None:
    matrix = drawn(n)
    lists, rng = Lists.of(matrix), np.random.default_rng(1)
    history = rng.choice(np.flatnonzero(lists.filled), 20, replace=False).astype(np.int32)
    strengths = rng.integers(1, 5, 20).astype(np.float32)
    expected = (sp.csr_array(matrix[history]).T @ strengths).astype(np.float32)

    items, sums, sound = sum_lists(lists, history, strengths, np.float32(0))

    assert sound
    assert sorted(items.tolist()) == np.flatnonzero(expected).tolist()
    assert looked_up(items, sums, np.arange(n, dtype=np.int32), np.float32(0), n).tolist() == expected.tolist()
    rows = items[:: max(1, len(items) // 40)]
    places, counts, _ = causes_of_lists(*lists, history, strengths, rows)
    parts = sp.csr_array(matrix[history])[:, rows].toarray() * strengths[:, None]
    for at in range(len(rows)):
        assert counts[at] > 0
        assert parts[places[at, 0], at] == parts[:, at].max()
