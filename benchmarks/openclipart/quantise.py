"""Features in one byte each."""

from __future__ import annotations

import numpy as np

LEVELS = 255


def quantise(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give codes (N, D) uint8 and scales (D,) float32: value = code * scale. No feature may be negative."""
    if features.min() < 0:
        raise ValueError(f"features must be non-negative (got a minimum of {features.min()})")
    highest = features.max(axis=0)
    # A feature that is zero everywhere keeps the scale 1: any would do but 0, which cannot be divided by.
    scale = np.where(highest > 0, highest / LEVELS, 1).astype(np.float32)
    return np.rint(features / scale).clip(0, LEVELS).astype(np.uint8), scale


def dequantise(codes: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Give the (N, D) float32 features that the codes stand for."""
    values: np.ndarray = codes.astype(np.float32) * scale
    return values
