"""The ground floor: checks, names, files, bits. It imports nothing of the library above it."""
