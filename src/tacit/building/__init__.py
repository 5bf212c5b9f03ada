"""The parts of the verb `build`: its folder, its examples, int8, and the check against the interpreter."""
