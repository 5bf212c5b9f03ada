"""Domain programs, built on the public API of `tacit` alone."""
