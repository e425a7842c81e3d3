"""A large data set from a memory-mapped folder to answers, by the console commands."""
