"""Finding the label commit that broke a goal, by binary search over the history."""
