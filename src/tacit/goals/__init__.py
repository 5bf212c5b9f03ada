"""Scores that can be measured again and again."""
