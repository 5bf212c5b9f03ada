"""Handwritten digits: 1,797 pictures of 8 by 8, embedded, so that the first program compiles without a download."""

from tacit_programs.digits.data import CLASSES, PICTURE, Digits, load_digits, write_images
from tacit_programs.digits.unpacking import unpack

__all__ = ["CLASSES", "PICTURE", "Digits", "load_digits", "unpack", "write_images"]
