"""Benchmarks of labelgraph: experiments, speed, scale, and the data sets they use."""
