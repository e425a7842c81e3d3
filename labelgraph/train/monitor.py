"""The name of what the best epoch is chosen by."""

MONITOR = "validation_map"
