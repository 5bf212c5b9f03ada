"""Types of inputs and outputs: what a person's file becomes, and back."""
