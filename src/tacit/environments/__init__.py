"""Environments to act in and games to play: what a program can have instead of examples."""
