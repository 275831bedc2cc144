"""Adam on the rows that a step touches, against Adam on all of them."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize("shape", [(30, 4), (30,)])
def test_rows_end_where_adam_on_all_rows_would_have_moved_them(shape: tuple[int, ...]) -> None:
    import torch

    from indexing.learn.row_adam import RowAdam

    rng, betas, rate = np.random.default_rng(0), (0.9, 0.98), 0.01
    start = torch.from_numpy(rng.normal(size=shape).astype(np.float32))
    whole = start.clone().requires_grad_()
    dense = torch.optim.AdamW([whole], lr=rate, betas=betas, weight_decay=0.0)
    table = start.clone()
    by_row = RowAdam(table, betas, 120)
    for step in range(120):
        # Some rows early on alone, some now and then, some never.
        rows = np.sort(rng.choice(10 if step < 20 else 25, 4, replace=False) + (0 if step < 20 else 3))
        slopes = torch.from_numpy(rng.normal(0.3, 1, size=(4, *shape[1:])).astype(np.float32))
        np.testing.assert_allclose(by_row.at(rows).detach(), whole.detach()[torch.from_numpy(rows)], atol=1e-5)
        by_row.step(rows, slopes, rate)
        whole.grad = torch.zeros_like(whole)
        whole.grad[torch.from_numpy(rows)] = slopes
        dense.step()

    by_row.finish()

    moved = float((whole.detach() - start).abs().max())
    assert moved > 0.1
    np.testing.assert_allclose(table, whole.detach(), atol=1e-5)
    np.testing.assert_array_equal(table[28:], start[28:])
