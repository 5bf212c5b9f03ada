"""Attributions on disk: ``.tacit/features/<digest of the binary>/``, so that an answer's examples are named in well under a second.

A folder appears under its name only when it is whole. The matrices are stored in half precision with a scale for each column and read
block by block, so an answer over many examples needs little memory. Sizes and checksums are looked at when it is opened; what is not
sound counts as not there, and is made again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tacit.attribution.attribution import Attribution, Model
from tacit.attribution.slopes import Dense, Factors, Slopes
from tacit.examples.examples import SPLITS, Examples
from tacit.ground.errors import FormatError, TacitError
from tacit.search.checkpoint import load_checkpoint, save_checkpoint, tensors_under
from tacit.search.columns import Columns
from tacit.signature.signature import Signature
from tacit.skeletons.reshaping import fit_shapes
from tacit.skeletons.table import network_for, skeleton_for

FEATURES = ".tacit/features"
KEPT = 2  # binaries whose features are kept: a person looks at one and the one before
_FORMAT = 1
_PAGE, _EVERY = 4096, 64


@dataclass(frozen=True, eq=False)
class Features:
    """An attribution with the examples that it speaks of.

    ids: str[example]. targets: [example, ...] as the output type encodes labels. splits: str[example]. values: what it was made with.
    """

    attribution: Attribution
    ids: np.ndarray
    targets: np.ndarray
    splits: np.ndarray
    values: Mapping[str, Any]


def features_path(directory: Path, digest: str) -> Path:
    """Give the folder of the features of the binary with this digest."""
    return directory / FEATURES / digest[:24]


def keep_features(directory: Path, digest: str, features: Features) -> Features:
    """Write features below a program directory, forget those of older binaries, and give them as they are on disk.

    Raises: TacitError when the disk is full; nothing is left behind.
    """
    path = features_path(directory, digest)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.mkdtemp(dir=path.parent, prefix=".new.")
        _write(Path(temporary), digest, features)
        if path.exists():
            shutil.rmtree(path)
        os.rename(temporary, path)
    except OSError as error:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise TacitError(
            f"could not write the features for blame - at `{path}`",
            cause=f"the system says: {error.strerror or error}",
            fix="free some disk space; the binary itself is not touched",
        ) from error
    except BaseException:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    _forget(path)
    return features


def open_features(directory: Path, digest: str, signature: Signature) -> Features | None:
    """Open the features of a binary, or give None when there are none or they are not sound."""
    path = features_path(directory, digest)
    try:
        manifest = json.loads((path / "manifest.json").read_text())
        if manifest["format"] != _FORMAT or manifest["digest"] != digest:
            return None
        if any(_checksum(path / name) != wanted for name, wanted in manifest["files"].items()):
            return None
        found = _read(path, manifest, signature)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, FormatError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return found


def _write(folder: Path, digest: str, features: Features) -> None:
    attribution = features.attribution
    np.save(folder / "ids.npy", features.ids.astype("S24"))
    np.save(folder / "targets.npy", features.targets)
    np.save(folder / "splits.npy", np.array([SPLITS.index(str(split)) for split in features.splits], np.uint8))
    marks = {f"input.{place}": tensor for place, tensor in enumerate(attribution.landmarks.inputs)}
    save_checkpoint(folder / "landmarks.safetensors", marks, {})
    for number, model in enumerate(attribution.models):
        tensors = {f"network.{name}": tensor.detach().clone() for name, tensor in model.network.state_dict().items()}
        tensors["scale"] = _save_matrix(folder / f"matrix-{number}.npy", model.matrix)
        tensors |= {"directions": model.directions, "residual": model.residual, "weights": model.weights}
        tensors |= {} if model.inner is None else {"inner": model.inner}
        tensors |= _flat(model.landmarks or {})
        layers = None if model.landmarks is None else [[name, _biased(part)] for name, part in model.landmarks.items()]
        save_checkpoint(folder / f"model-{number}.safetensors", tensors, {"layers": layers, "damping": model.damping})
    files = {path.name: _checksum(path) for path in sorted(folder.iterdir())}
    manifest = {"format": _FORMAT, "digest": digest, "models": len(attribution.models), "files": files}
    manifest |= {"most": attribution.most, "smoothing": attribution.smoothing}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "values": dict(features.values)}))


def _read(path: Path, manifest: Mapping[str, Any], signature: Signature) -> Features:
    values = manifest["values"]
    skeleton = skeleton_for(signature, values["skeleton"])
    example = tuple(np.zeros((2, *spec.shape), spec.dtype) for spec in signature.input.arrays)
    models = []
    for number in range(manifest["models"]):
        tensors, about = load_checkpoint(path / f"model-{number}.safetensors")
        network: nn.Module = network_for(skeleton, signature, values["settings"], inputs=example, seed=0)
        network = fit_shapes(network, tensors_under("network.", tensors))
        matrix = Scaled(np.load(path / f"matrix-{number}.npy", mmap_mode="r", allow_pickle=False), tensors["scale"].numpy())
        rest = (tensors["residual"], tensors["weights"], float(about["damping"]), tensors.get("inner"))
        models.append(Model(network.eval(), _slopes(tensors, about["layers"]), tensors["directions"], matrix, *rest))
    marks, _ = load_checkpoint(path / "landmarks.safetensors")
    inputs = tuple(marks[f"input.{place}"] for place in range(len(marks)))
    front = getattr(models[0].network, "front_spec", None) if models else None
    specs = signature.input.arrays if front is None else (front,)
    landmarks = Columns(specs, inputs, torch.zeros(len(inputs[0]), dtype=torch.int64))
    attribution = Attribution(
        signature.output, signature.input.arrays, tuple(models), manifest["most"], float(manifest["smoothing"]), landmarks
    )
    targets = np.load(path / "targets.npy", allow_pickle=False)
    splits = np.array(SPLITS)[np.load(path / "splits.npy", allow_pickle=False)]
    return Features(attribution, np.load(path / "ids.npy", allow_pickle=False).astype("U24"), targets, splits, values)


@dataclass(frozen=True, eq=False)
class Scaled:
    """half precision [example, landmark] on disk, times float32[landmark]."""

    halves: np.ndarray
    scale: np.ndarray

    def times(self, products: np.ndarray, *, block: int = 2048) -> np.ndarray:
        """Multiply by float32[landmark, query], a block of examples at a time: float32[example, query]."""
        right = torch.from_numpy(self.scale[:, None] * products)
        total = np.empty((len(self.halves), products.shape[1]), np.float32)
        for at in range(0, len(total), block):
            some = torch.from_numpy(np.array(self.halves[at : at + block]))
            total[at : at + block] = (some.float() @ right).numpy()
        return total


def _save_matrix(path: Path, matrix: Any, *, block: int = 4096) -> Tensor:
    """Write a matrix in half precision, block by block, and give float32[landmark], the scales of its columns."""
    whole: Tensor = matrix
    scale = whole.abs().amax(0).clamp_min(1e-30)
    target = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=tuple(whole.shape))
    for at in range(0, len(whole), block):
        target[at : at + block] = (whole[at : at + block] / scale).half().numpy()
    target.flush()
    return scale.float()


def _flat(slopes: Slopes) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, part in slopes.items():
        if isinstance(part, Factors):
            tensors |= {f"x.{name}": part.x, f"d.{name}": part.d}
        else:
            tensors[f"g.{name}"] = part.g
    return tensors


def _biased(part: Factors | Dense) -> bool:
    return isinstance(part, Factors) and part.bias


def _slopes(tensors: Mapping[str, Tensor], layers: Sequence[tuple[str, bool]] | None) -> Slopes | None:
    if layers is None:
        return None
    return {
        name: Dense(tensors[f"g.{name}"]) if f"g.{name}" in tensors else Factors(tensors[f"x.{name}"], tensors[f"d.{name}"], bias)
        for name, bias in layers
    }


def _checksum(path: Path) -> list[int]:
    """Give size and CRC of a file; of a matrix, of its first page and of every `_EVERY`-th after that."""
    size = path.stat().st_size
    if not path.name.startswith("matrix-"):
        return [size, zlib.crc32(path.read_bytes())]
    total = 0
    with path.open("rb") as file:
        for at in range(0, size, _PAGE * _EVERY):
            file.seek(at)
            total = zlib.crc32(file.read(_PAGE), total)
    return [size, total]


def _forget(newest: Path) -> None:
    others = [path for path in newest.parent.iterdir() if path != newest and not path.name.startswith(".")]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def described(examples: Examples, attribution: Attribution, values: Mapping[str, Any]) -> Features:
    """Join an attribution with the examples that it was made from."""
    return Features(attribution, examples.ids, examples.targets, examples.splits, values)
