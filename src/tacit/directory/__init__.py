"""The program directory: `tacit.toml` in and out, and a `Program` from a directory."""
