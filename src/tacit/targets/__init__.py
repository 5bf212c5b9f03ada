"""What a graph is built into."""
