"""A database index, learned from its keys: `compile(keys)` gives an `Index` with the exact position of any query."""

from tacit_programs.index.index import Index, compile, load

__all__ = ["Index", "compile", "load"]
