"""Join programs into one, trained end to end as a whole."""
