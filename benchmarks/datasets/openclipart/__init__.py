"""The builder of the bundled set."""
