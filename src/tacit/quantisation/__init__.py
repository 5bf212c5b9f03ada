"""Turn a graph of floats into one of 8-bit integers: calibration, rounding, and fine-tuning where rounding loses too much."""
