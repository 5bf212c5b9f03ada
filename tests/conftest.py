"""One thread per test process: on a busy machine several spin against each other, and results would depend on how many there are."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, for where someone gives more
