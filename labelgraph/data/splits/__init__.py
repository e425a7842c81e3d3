"""Splits: published strategies, and files of row numbers."""
