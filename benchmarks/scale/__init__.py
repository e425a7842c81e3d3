"""Time and memory of the commands for a million items in a memory-mapped folder."""
