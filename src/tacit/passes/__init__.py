"""Rewrites of graphs that keep their meaning."""
