"""Benchmarks of labelgraph: experiments, speed, scale, and the data sets they use."""

from labelgraph._core import early_signals  # noqa: F401  First, so that a signal during all other imports is handled.
