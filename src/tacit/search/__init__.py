"""Optimisation: gradient descent under a budget, choices by successive halving."""
