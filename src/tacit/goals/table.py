"""The table of metrics."""

from tacit.ground.tables import Table

METRICS = Table(
    "metric",
    {
        name: f"tacit.goals.metrics:{name}"
        for name in (
            "accuracy",
            "balanced_accuracy",
            "exact_match",
            "f1",
            "joint",
            "log_loss",
            "macro_f1",
            "mean_absolute_error",
            "micro_f1",
            "precision",
            "r2",
            "recall",
            "roc_auc",
            "root_mean_square_error",
        )
    },
    group="tacit.metrics",
)
