"""Coat: ratings of coats that people chose to rate, beside ratings of coats drawn at random, with propensities of the choice.

Schnabel, Swaminathan, Singh, Chandak and Joachims, "Recommendations as Treatments", ICML 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.datasets.text_lines import text_lines
from recommender.errors import InvalidInput

NOTE = "Coat, Cornell University (https://www.cs.cornell.edu/~schnabts/mnar/), no licence stated; cite the paper."


@dataclass(frozen=True, eq=False)
class Coat:
    """Ratings of p people (290) and n coats (300), from 1 to 5, 0 where there is none.

    `train`: int64, shape (p, n), of coats that each person picked. `test`: the same, of coats drawn uniformly for each person.
    `propensity`: float64, shape (p, n), in (0, 1], the estimated probability that the person picked the coat. Raises `InvalidInput`
    where these do not fit together.
    """

    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    propensity: npt.NDArray[np.float64]
    note: str = NOTE

    def __post_init__(self) -> None:
        for name in ("test", "propensity"):
            if getattr(self, name).shape != self.train.shape:
                raise InvalidInput(name, f"shape {getattr(self, name).shape}", f"shape {self.train.shape}, as train")
        for name in ("train", "test"):
            ratings = getattr(self, name)
            if not np.isin(ratings, np.arange(6)).all():
                raise InvalidInput(name, ratings[~np.isin(ratings, np.arange(6))][0], "ratings from 1 to 5, or 0 for none")
            if not ratings.any():
                raise InvalidInput(name, "no rating", "at least one rating")
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise InvalidInput("propensity", "a value outside", "probabilities above 0, at most 1")


def read_coat(folder: Path) -> Coat:
    """`train.ascii`, `test.ascii` and `propensities.ascii`, one person a line. Raises `InvalidInput` by file and line."""
    train, test = (_matrix(folder / f"{part}.ascii") for part in ("train", "test"))
    for path, ratings in ((folder / "train.ascii", train), (folder / "test.ascii", test)):
        bad = np.argwhere(~np.isin(ratings, np.arange(6)))
        if len(bad):
            raise InvalidInput(f"{path}:{bad[0][0] + 1}", float(ratings[tuple(bad[0])]), "ratings from 1 to 5, or 0 for none")
    return Coat(train.astype(np.int64), test.astype(np.int64), _matrix(folder / "propensities.ascii"))


def _matrix(path: Path) -> npt.NDArray[np.float64]:
    rows: list[npt.NDArray[np.float64]] = []
    for place, line in enumerate(text_lines(path), 1):
        try:
            row = np.array(line.split(), dtype=np.float64)
        except ValueError as error:
            raise InvalidInput(f"{path}:{place}", line, "numbers separated by spaces") from error
        if len(row) == 0 or (rows and len(row) != len(rows[0])) or not np.isfinite(row).all():
            raise InvalidInput(
                f"{path}:{place}", f"{len(row)} numbers", f"{len(rows[0]) if rows else 'some'} finite numbers, as the first line"
            )
        rows.append(row)
    if not rows:
        raise InvalidInput(str(path), "no line", "one line for each person")
    return np.stack(rows)
