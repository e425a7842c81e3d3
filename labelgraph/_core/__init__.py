"""Helpers for checks, names, files and bits, which import no other part of the library."""
