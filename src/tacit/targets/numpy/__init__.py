"""One readable file of Python that needs NumPy alone, and its weights."""
