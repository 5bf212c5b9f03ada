"""Lint: what is wrong with the examples of a program, each finding with a code, evidence and a fix."""
