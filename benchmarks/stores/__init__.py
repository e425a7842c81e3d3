"""Speed, memory, simultaneous use and interruption of the stores of a searcher."""
