"""The command `labelgraph`: train, evaluate, index, search, and look at label graphs."""
