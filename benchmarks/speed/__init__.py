"""How fast the parts are, each against a plain rival in the same run; see ``benchmarks/README.md``."""
