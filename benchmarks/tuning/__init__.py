"""Tune all methods with the same number of random trials."""
