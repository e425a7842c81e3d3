"""Experiments: what the commands that train and compare methods share."""
