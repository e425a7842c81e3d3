"""Splits: published strategies, and index files."""
