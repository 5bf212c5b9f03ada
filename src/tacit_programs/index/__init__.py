"""A database index, learned from its keys."""
