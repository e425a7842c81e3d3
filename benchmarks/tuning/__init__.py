"""As many random trials for every method."""
