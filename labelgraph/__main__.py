"""`python -m labelgraph` is the command `labelgraph`."""

import sys

from labelgraph.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
