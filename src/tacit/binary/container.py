"""The file: one valid safetensors file, sealed, written and read as bytes.

Layout (https://github.com/huggingface/safetensors#format): 8 bytes, the length N of the header, little-endian; N bytes of
JSON; the tensors, without gaps. The header's ``__metadata__`` maps strings to strings. Tacit writes it with sorted keys, so
equal contents have equal bytes, and adds one entry, ``tacit_seal``: the sha256 over the header with the seal itself
replaced by zeros, followed by the tensors. So any changed byte of the file is found, and nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np
import safetensors

from tacit.ground.digests import canonical_json
from tacit.ground.errors import FormatError

FORMAT_VERSION = 1
VERSION_KEY = "tacit_format"
SEAL_KEY = "tacit_seal"
_NO_SEAL = "0" * 64
_ALIGNMENT = 8
_DTYPES = {"F32": "<f4", "I32": "<i4"}
REBUILD = "copy the file again from where it was made, or compile the program again"


def pack(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Give the bytes of a file that holds `tensors` (float32 or int32) and `metadata`; the same bytes for the same contents.

    >>> unpack(pack({"w": np.ones((2, 3), np.float32)}, {"name": "demo"}), where="memory")[1]["name"]
    'demo'
    """
    header: dict[str, object] = {"__metadata__": {**metadata, VERSION_KEY: str(FORMAT_VERSION), SEAL_KEY: _NO_SEAL}}
    body = bytearray()
    for name in sorted(tensors):
        array = tensors[name]
        code = "I32" if array.dtype == np.int32 else "F32"
        data = np.ascontiguousarray(array, dtype=_DTYPES[code]).tobytes()
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = canonical_json(header).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    seal = hashlib.sha256(text + body).hexdigest()
    return len(text).to_bytes(8, "little") + text.replace(_seal_entry(_NO_SEAL), _seal_entry(seal), 1) + bytes(body)


def unpack(data: bytes, *, where: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Give the tensors and the metadata of a file from its bytes; `where` names it in errors.

    Raises: FormatError when the bytes are not a Tacit file, are truncated or changed, or are of a version to come.
    """
    header, text = _header(data, where=where)
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or VERSION_KEY not in metadata:
        raise FormatError(
            f"expected a Tacit binary, got a safetensors file without Tacit's metadata - at `{where}`",
            fix="give the `.tacit` file that `tacit compile` wrote",
        )
    _refuse_other_versions(str(metadata[VERSION_KEY]), where=where)
    seal = str(metadata.get(SEAL_KEY, ""))
    digest = hashlib.sha256(text.replace(_seal_entry(seal), _seal_entry(_NO_SEAL), 1))
    digest.update(memoryview(data)[8 + len(text) :])
    if digest.hexdigest() != seal:
        raise FormatError(
            f"expected contents with the sha256 that the file states, got others - at `{where}`",
            cause="the file was truncated, damaged or changed after it was written",
            fix=REBUILD,
        )
    return _tensors(data, where=where), {str(key): str(value) for key, value in metadata.items()}


def _tensors(data: bytes, *, where: str) -> dict[str, np.ndarray]:
    try:
        stored = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise FormatError(f"expected a valid safetensors file - at `{where}`", cause=str(error)[:500], fix=REBUILD) from error
    tensors: dict[str, np.ndarray] = {}
    for name, tensor in stored:
        if tensor["dtype"] not in _DTYPES:
            raise FormatError(
                f"expected tensors of float32 or int32, got {tensor['dtype']} - at `{where}`, tensor `{name[:80]}`", fix=REBUILD
            )
        array = np.frombuffer(tensor["data"], dtype=_DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
        array.flags.writeable = False
        tensors[name] = array
    return tensors


def _seal_entry(seal: str) -> bytes:
    return f'"{SEAL_KEY}":"{seal}"'.encode()


def _header(data: bytes, *, where: str) -> tuple[dict[str, object], bytes]:
    """Give the parsed header and its bytes."""
    length = int.from_bytes(data[:8], "little")
    if data[8:9] == b"{" and length > len(data) - 8:
        raise FormatError(
            f"expected a header of {length} bytes, got {len(data) - 8} - at `{where}`",
            cause="the file is truncated",
            fix=REBUILD,
        )
    text = data[8 : 8 + length]
    try:
        header = json.loads(text.decode("utf-8")) if text[:1] == b"{" else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise FormatError(
            f"expected a Tacit binary (a safetensors file), got {_guess(data)} - at `{where}`",
            fix="give the `.tacit` file that `tacit compile` wrote",
        )
    return header, text


def _refuse_other_versions(version: str, *, where: str) -> None:
    if version == str(FORMAT_VERSION):
        return
    if version.isascii() and version.isdigit() and int(version[:9]) > FORMAT_VERSION:
        raise FormatError(
            f"expected format {FORMAT_VERSION}, got format {version[:20]} - at `{where}`",
            cause="the file was written by a future version of Tacit",
            fix="pip install --upgrade tacit",
        )
    raise FormatError(f"expected format {FORMAT_VERSION}, got `{version[:40]}` - at `{where}`", fix=REBUILD)


_SIGNATURES = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"PK\x03\x04": "a zip archive (perhaps a PyTorch or NumPy file)",
    b"RIFF": "a RIFF file (perhaps a WAV)",
    b"GIF8": "a GIF image",
    b"\x80\x02": "a Python pickle",
    b"\x80\x04": "a Python pickle",
}


def _guess(data: bytes) -> str:
    """Say what the bytes look like."""
    if not data:
        return "an empty file"
    return next((name for start, name in _SIGNATURES.items() if data.startswith(start)), f"{len(data)} bytes of something else")
