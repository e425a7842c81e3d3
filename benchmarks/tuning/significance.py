"""How sure a difference is: queries drawn anew."""

from __future__ import annotations

import numpy as np
from scipy.stats import bootstrap
from torch import Tensor

RESAMPLES = 10_000


def bootstrap_difference(left: Tensor, right: Tensor, seed: int = 0) -> tuple[float, float, float]:
    """Mean difference of two methods on the same queries, and the ends of its 95 % interval.

    Paired: a draw takes the same queries of both. The interval holds the middle of 10,000 draws.

    Args:
        left: A value a query, shape (Q,).
        right: The same of the other method.
        seed: Of the draws.
    """
    difference = (left - right).double().numpy()
    found = bootstrap(
        (difference,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=100,
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    return float(difference.mean()), float(found.confidence_interval.low), float(found.confidence_interval.high)
