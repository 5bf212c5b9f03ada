"""Blame: which training examples wrote an answer, and what a commit of labels did to the answers."""
