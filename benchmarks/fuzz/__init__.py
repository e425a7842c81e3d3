"""Fuzz tests: damaged files for every reader, several writers at one place, and commands that are interrupted."""
