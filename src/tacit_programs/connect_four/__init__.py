"""Connect Four, learnt by playing against itself: `Program("connect-four", game=ConnectFour())`.

The rules need NumPy alone; Tacit asks for nothing but the methods that `tacit_programs.connect_four.rules` has.
"""

from tacit_programs.connect_four.rules import ConnectFour, show

__all__ = ["ConnectFour", "show"]
