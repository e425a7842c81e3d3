"""Label probabilities: calibration, reliability, and scores of pairs."""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph.probability.calibration import CALIBRATIONS, Calibration, platt_scaling, temperature_scaling
    from labelgraph.probability.pair_scores import (
        expected_cosine,
        expected_jaccard,
        expected_relevance,
        expected_shared,
        relevance_features,
    )
    from labelgraph.probability.reliability import ReliabilityCurve, expected_calibration_error, reliability_curve

__all__ = [
    "CALIBRATIONS",
    "Calibration",
    "ReliabilityCurve",
    "expected_calibration_error",
    "expected_cosine",
    "expected_jaccard",
    "expected_relevance",
    "expected_shared",
    "platt_scaling",
    "relevance_features",
    "reliability_curve",
    "temperature_scaling",
]

__getattr__, __dir__ = lazy_exports(__name__)
