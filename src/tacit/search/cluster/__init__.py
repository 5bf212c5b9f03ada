"""Work on Ray: the only place that imports it."""

from __future__ import annotations

import os

#: Read by Ray when it is imported; what a person has set stays.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere
    "RAY_DEDUP_LOGS": "1",  # what nodes say of dead workers would go to stdout; Tacit says it itself
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # as Ray will do by itself one day; else each start warns of it
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # Ray's own 15 starves workers on a machine where anything else runs
}
for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)
