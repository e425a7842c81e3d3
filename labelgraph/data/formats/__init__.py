"""Readers and writers of data files, one format per module."""
