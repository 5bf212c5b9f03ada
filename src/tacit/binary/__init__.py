"""The binary: one safetensors file with instructions, weights, signature and evidence; a function when loaded."""

from tacit.binary.binary import Binary
from tacit.binary.drivers import DRIVERS
from tacit.binary.entry import EntryPoint
from tacit.binary.loading import from_bytes, load
from tacit.binary.probes import ProbeResult, check_probes, record_probes

__all__ = ["DRIVERS", "Binary", "EntryPoint", "ProbeResult", "check_probes", "from_bytes", "load", "record_probes"]
