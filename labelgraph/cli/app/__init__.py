"""The page and the REST endpoints of `labelgraph app`."""
