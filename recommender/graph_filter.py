"""A low-pass filter on the graph of people and items, in the form in which it is served."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ItemSpectrum:
    """The leading right singular vectors of the normalised interactions R̃ = D_U^-½ R D_I^-½ over n items, all float32.

    `vectors`: shape (n, k), orthonormal columns V, by falling singular value; zeros for items without events. `into`: shape
    (n,), what a unit of weight on an item is multiplied by on its way into the spectrum, d^-½. `out_of`: shape (n,), d^½, what
    a score is multiplied by on its way out. Both are 0 for items without events. `gains`: shape (k,), ≥ 0, how much of each
    vector passes.

    The score of item i for weights w on a history's items j is ((Σ_j w_j · into_j · V_j) ∘ gains) · V_i · out_of_i
    (Shen et al., CIKM 2021). Raises ValueError when shapes do not fit.
    """

    vectors: Floats
    into: Floats
    out_of: Floats
    gains: Floats

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2:
            raise ValueError(f"vectors has shape {self.vectors.shape}, allowed are two dimensions")
        n, k = self.vectors.shape
        for name, shape in (("into", (n,)), ("out_of", (n,)), ("gains", (k,))):
            given = getattr(self, name).shape
            if given != shape:
                raise ValueError(f"{name} has shape {given}, with vectors of shape {(n, k)} it is {shape}")
        for name, allowed in (("vectors", ("float32", "float16")), *((name, ("float32",)) for name in ("into", "out_of", "gains"))):
            if getattr(self, name).dtype.name not in allowed:
                raise ValueError(f"{name} is {getattr(self, name).dtype}, allowed is {' or '.join(allowed)}")
