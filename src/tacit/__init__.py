"""Tacit: the Software 2.0 toolchain."""

__version__ = "0.1.0"
