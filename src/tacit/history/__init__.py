"""The history of labels: git and remotes."""
