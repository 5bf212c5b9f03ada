"""Domain programs as Tacit sees them: found by name, begun, compiled, put beside their predecessors, played with."""
