"""Speech recognition: spoken digits, alone and in strings, heard by a binary that has the spectrum in it."""

from tacit_programs.asr.recordings import DIGITS, SPEAKERS, Recording, embedded, wav_bytes, whole
from tacit_programs.asr.strings import Spoken, make_strings

__all__ = ["DIGITS", "SPEAKERS", "Recording", "Spoken", "embedded", "make_strings", "wav_bytes", "whole"]
