"""One file per command; each holds `command`, which parses nothing but its own options and calls one verb."""
