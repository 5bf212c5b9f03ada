"""Bounded spaces of programs to search: modules with open choices."""
