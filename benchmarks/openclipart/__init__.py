"""Builder of the bundled OpenClipart set; run it with ``python -m benchmarks.openclipart.build``."""
