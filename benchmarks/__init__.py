"""Reproducible runs and measurements of labelgraph; see ``benchmarks/README.md``."""
