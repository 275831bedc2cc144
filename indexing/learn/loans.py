"""What items of a generation lend to items that came after it: as a build would say, had it had them without events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from indexing.learn.labels import Labels
from indexing.learn.strongest import strongest_per_row
from indexing.learn.sums import strongest_product
from indexing.learn.transfer import LOOKED_AT, Compared, above_last, holders_of, likenesses, pairs_of
from recommender.generation import Contents
from recommender.profile import Transfer
from recommender.segments import Delta, Loans

Rows = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Lenders:
    """The items of a generation that lend, and by what they are found. `by_label`, `by_rare_label`: the lenders of each label."""

    contents: Contents
    settings: Transfer
    labels: Labels
    lends: npt.NDArray[np.bool_]
    by_label: sp.csr_array
    by_rare_label: sp.csr_array

    @classmethod
    def of(cls, contents: Contents, settings: Transfer) -> Lenders:
        """Those of a generation's `contents`, built with `settings`."""
        labels, lends = Labels.of(contents.catalogue), contents.lender_worth > 0
        return cls(contents, settings, labels, lends, *holders_of(labels.vectors, lends, contents.label_share))

    def loans(self, delta: Delta) -> Loans:
        """What they lend to each item of `delta`: by the `neighbours` that are nearest to it in meaning and labels together.

        Looked at are those that are near by one of both; so it is in builds, where there are many.
        """
        contents, most = self.contents, self.settings.neighbours + 1
        m = len(delta.numbers)
        if not m or not self.lends.any():
            return Loans.none(m)
        labels, there = self.labels.others(delta.catalogue), np.flatnonzero(delta.has_vector)
        pairs = []
        for rows, proposing in ((there, self.by_rare_label), (np.flatnonzero(~delta.has_vector), self.by_label)):
            place, others = pairs_of(strongest_product(sp.csr_array(labels[rows]), proposing, LOOKED_AT * most))
            pairs.append((rows[place], others))
        lending = self.lends & contents.has_vector
        if len(there) and lending.any():
            near, _, _ = contents.vectors.search(delta.vectors(there), LOOKED_AT * most, lending)
            place, at = np.nonzero(near >= 0)
            pairs.append((there[place], near[place, at].astype(np.int32)))
        own = Compared.of(delta.halves, delta.has_vector, labels)
        theirs = Compared.of(contents.vectors.halves, contents.has_vector, self.labels.vectors)
        every: Rows = np.arange(m, dtype=np.int32)
        shares = above_last(strongest_per_row(likenesses(own, every, theirs, pairs, contents.label_share), most), most - 1)
        shares.data *= contents.lender_worth[shares.indices]
        return Loans.of(shares)
