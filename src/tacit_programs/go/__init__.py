"""Go, learnt by playing against itself: `Program("go", game=Go5())`.

The rules need NumPy alone, and are C where there is a compiler; Tacit asks for nothing but the methods of its game protocol.
"""

from tacit_programs.go.rules import Go, Go5, Go7, Go9, show

__all__ = ["Go", "Go5", "Go7", "Go9", "show"]
