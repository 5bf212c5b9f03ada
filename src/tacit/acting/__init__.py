"""Programs that learn by acting: from an environment or a game to a binary, measured by its own episodes and games."""
