"""Photos in a folder per class become a recogniser: hand signs are embedded, so that it can be tried without a download."""
