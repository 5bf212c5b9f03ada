"""Tools that read a binary: inspect, test, check, model card."""
