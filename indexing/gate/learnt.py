"""Whether what was learnt are numbers."""

from __future__ import annotations

import numpy as np

from recommender.generation import Contents, GateCheck


def check_finite(contents: Contents) -> GateCheck:
    """Whether no number that was learnt is NaN or infinite; the message names the arrays that hold one."""
    bad = [name for name, array in contents.learnt_arrays().items() if not np.isfinite(array).all()]
    message = f"NaN or infinity in {', '.join(bad)}" if bad else "no NaN or infinity in what was learnt"
    return GateCheck(name="finite", passed=not bad, message=message)
