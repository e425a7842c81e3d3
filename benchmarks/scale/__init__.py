"""A million items, from a memory-mapped folder to answers."""
