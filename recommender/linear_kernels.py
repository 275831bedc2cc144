"""Compiled loops that solve small systems of linear equations, by Gauss's elimination with the largest pivot of each column.

LAPACK takes as long for as few equations as a history has items, and twice as long with the way there from Python.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recommender.compiling import compiled, reordered

Floats = npt.NDArray[np.float32]

_BLOCK = 32
"""Numbers that a processor takes up at a time, in a loop over many."""


@compiled
def lines_of(size: int, sides: int) -> Floats:
    """Zeros for `size` equations with `sides` right-hand sides each: shape (size, ≥ size + sides), in lines of whole blocks. Odd ends would
    take as long as all the rest."""
    return np.zeros((size, -(-(size + sides) // _BLOCK) * _BLOCK), dtype=np.float32)


@reordered
def eliminate(lines: Floats) -> None:
    """Bring equations, shape (h, w), into triangular form, in place; numbers left of where a line begins are left as they come."""
    h, width = lines.shape
    for step in range(h):
        pivot = step
        for line in range(step + 1, h):
            if abs(lines[line, step]) > abs(lines[pivot, step]):
                pivot = line
        if pivot != step:
            for column in range(width):
                lines[step, column], lines[pivot, column] = lines[pivot, column], lines[step, column]
        first = step // _BLOCK * _BLOCK
        above = lines[step, first:]
        for line in range(step + 1, h):
            below = lines[line, first:]
            share = below[step - first] / above[step - first]
            for column in range(len(above)):
                below[column] -= share * above[column]


@reordered
def solve(lines: Floats, side: int, solved: Floats) -> None:
    """Write the solution of eliminated equations, shape (h, w), for one right-hand side into `solved`, shape (w,), whose first h numbers
    count. What a pivot of 0 makes is no number."""
    h = len(lines)
    for place in range(len(solved)):
        solved[place] = np.float32(0)
    for step in range(h - 1, -1, -1):
        first, product = step // _BLOCK * _BLOCK, np.float32(0)
        line, later = lines[step, first:], solved[first:]
        for column in range(len(line)):
            product += line[column] * later[column]
        solved[step] = (lines[step, h + side] - product) / lines[step, step]
