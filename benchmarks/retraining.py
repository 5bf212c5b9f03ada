"""Train hundreds of small networks at once, each on its own subset of one training set, and keep their scores on other examples.

    python benchmarks/retraining.py SUBJECT --out FILE.npz [--subsets N] [--seeds N] [--device cuda] [--most N]

This is the ground truth of `attribution.py`: what really happens when training examples are left out. All networks step together
(`torch.func.vmap` over stacked weights), with the rules of `tacit.search.training.Training`: SGD with Nesterov momentum, the one-cycle
schedule, decay on matrices alone, batches drawn anew each epoch. Convolutions are written as unfold and matmul, so that they batch
over networks; a batch norm gives its statistics out, and they are averaged outside.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pyarrow.parquet as parquet
import torch
import torch.nn.functional as F
from PIL import Image as Pillow
from torch import Tensor, nn

from tacit.goals.goal import Goal
from tacit.search.columns import Columns
from tacit.search.recipe import Recipe
from tacit.search.schedule import Progress, one_cycle
from tacit.search.training import Task, Training
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.signature.signature import Signature
from tacit.skeletons.table import Skeleton, network_for, skeleton_for


@dataclass(frozen=True)
class Subject:
    """One data set and one recipe."""

    data: str
    examples: int
    epochs: int
    smoothing: float = 0.0
    batch: int = 64
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    momentum: float = 0.9
    warmup: float = 0.15


SUBJECTS = {
    "mnist": Subject("mnist", examples=2000, epochs=20, learning_rate=0.01),
    "mnist-fast": Subject("mnist", examples=2000, epochs=20, learning_rate=0.1),
    "mnist-smooth": Subject("mnist", examples=2000, epochs=20, learning_rate=0.1, smoothing=0.1),
    "cifar2": Subject("cifar2", examples=2000, epochs=10, learning_rate=0.1),
}
TESTS = 1000
CIFAR2 = (3, 5)  # cat, dog


def arrays(subject: Subject) -> dict[str, np.ndarray]:
    """Give train_x uint8[example, row, column, channel], train_y int64[example], test_x, test_y: a draw of the shared packs."""
    folder = harness.data_folder()
    if subject.data == "mnist":
        train, test = _mnist("train", folder), _mnist("t10k", folder)
    else:
        train, test = _cifar2("train20k", folder), _cifar2("test", folder)
    rows = np.random.default_rng(1).permutation(len(train[1]))[: subject.examples]
    held = np.random.default_rng(2).permutation(len(test[1]))[:TESTS]
    return {"train_x": train[0][rows], "train_y": train[1][rows], "test_x": test[0][held], "test_y": test[1][held]}


def _mnist(part: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    def content(name: str) -> bytes:
        return gzip.decompress((folder / "mnist" / f"{part}-{name}-ubyte.gz").read_bytes())

    pictures = np.frombuffer(content("images-idx3"), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return pictures, np.frombuffer(content("labels-idx1"), np.uint8, offset=8).astype(np.int64)


def _cifar2(part: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    table = parquet.read_table(folder / "cifar10" / f"{part}.parquet")
    labels = table["label"].to_numpy()
    rows = np.flatnonzero(np.isin(labels, CIFAR2))
    files = table["image"].take(rows).to_pylist()
    pictures = np.stack([np.asarray(Pillow.open(io.BytesIO(file["bytes"])).convert("RGB")) for file in files])
    return pictures, (labels[rows] == CIFAR2[1]).astype(np.int64)


def signature_of(data: dict[str, np.ndarray]) -> Signature:
    """Give the signature of a data set."""
    return Image(*data["train_x"].shape[1:]) >> Class(tuple(map(str, range(int(data["train_y"].max()) + 1))))


def perceptron() -> nn.Module:
    """Build the MLP 784-64-10."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def skeleton_of(subject: Subject, signature: Signature) -> tuple[Skeleton, dict[str, Any]]:
    """Give a subject's skeleton and its settings: the MLP, or the usual ConvNet at its smallest."""
    if subject.data == "mnist":
        return skeleton_for(signature, perceptron), {}
    return skeleton_for(signature, "convnet2d"), {"width": 8, "depth": 0}


def recipe_of(subject: Subject) -> Recipe:
    """Give the training recipe of a subject."""
    return Recipe(
        batch=subject.batch,
        learning_rate=subject.learning_rate,
        weight_decay=subject.weight_decay,
        momentum=subject.momentum,
        warmup=subject.warmup,
        label_smoothing=subject.smoothing,
        augment=(),
    )


def network(subject: Subject, data: dict[str, np.ndarray], *, seed: int) -> nn.Module:
    """Build the network of a subject with weights of its own."""
    signature = signature_of(data)
    skeleton, settings = skeleton_of(subject, signature)
    return network_for(skeleton, signature, settings, inputs=(data["train_x"],), seed=seed)


def train_one(subject: Subject, data: dict[str, np.ndarray], rows: np.ndarray, seed: int, *, epochs: float | None = None) -> np.ndarray:
    """Train one network on some rows with the product's own loop and give float32[test example, score]."""
    signature = signature_of(data)
    specs = signature.input.arrays
    train = Columns(specs, (torch.from_numpy(data["train_x"][rows]),), torch.from_numpy(data["train_y"][rows]))
    tests = Columns(specs, (torch.from_numpy(data["test_x"]),), torch.from_numpy(data["test_y"]))
    steps = round((epochs or subject.epochs) * (len(rows) // subject.batch))
    net = network(subject, data, seed=seed)
    task = Task(signature, train, tests, Goal("accuracy"))
    training = Training(task, net, recipe_of(subject), Progress([(0, steps)]), seed=seed, augment=False, low_precision=False)
    while not training.progress.done:
        training.step()
    return training.predict()


class Unfolded(nn.Module):
    """A convolution as one matmul over patches; under `vmap` that is one batched matmul over all networks."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.size = conv.weight, conv.kernel_size
        self.stride, self.padding = conv.stride, conv.padding

    def forward(self, x: Tensor) -> Tensor:
        """float32[batch, channel, row, column] -> float32[batch, output, row, column]."""
        count, _, height, width = x.shape
        rows = (height + 2 * self.padding[0] - self.size[0]) // self.stride[0] + 1  # type: ignore[operator]
        columns = (width + 2 * self.padding[1] - self.size[1]) // self.stride[1] + 1  # type: ignore[operator]
        patches = F.unfold(x, self.size, padding=self.padding, stride=self.stride)  # type: ignore[arg-type]
        flat = patches.permute(1, 0, 2).reshape(patches.shape[1], -1)
        made = self.weight.reshape(len(self.weight), -1) @ flat
        return made.reshape(len(made), count, rows, columns).permute(1, 0, 2, 3)


class Normed(nn.Module):
    """A batch norm by the statistics of the batch while training, which it keeps in `seen`; by its buffers otherwise."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        self.register_buffer("running_mean", norm.running_mean)
        self.register_buffer("running_var", norm.running_var)
        self.seen: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """float32[batch, channel, row, column] -> the same shape."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            count = x.numel() // x.shape[1]
            self.seen = (mean.detach(), variance.detach() * (count / (count - 1)))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (x - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]


def batched(module: nn.Module) -> nn.Module:
    """Replace what `vmap` can't batch well; names of weights and buffers stay."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Conv2d):
            setattr(module, name, Unfolded(child))
        elif isinstance(child, nn.BatchNorm2d):
            setattr(module, name, Normed(child))
        else:
            batched(child)
    return module


def train_all(
    subject: Subject, data: dict[str, np.ndarray], rows: np.ndarray, seeds: list[int], *, device: str, batches: list[Tensor] | None = None
) -> tuple[nn.Module, dict[str, Tensor], dict[str, Tensor]]:
    """Train one network on each row of int64[network, example] and give the skeleton, the stacked weights and the stacked buffers."""
    nets = [network(subject, data, seed=seed) for seed in seeds]
    skeleton = batched(copy.deepcopy(nets[0])).to(device).train()
    names = [name for name, _ in skeleton.named_parameters()]
    weights = {name: torch.stack([dict(net.named_parameters())[name].detach() for net in nets]).to(device) for name in names}
    buffers = {
        name: torch.stack([dict(net.named_buffers())[name].detach() for net in nets]).to(device) for name, _ in skeleton.named_buffers()
    }
    pictures = torch.from_numpy(data["train_x"]).to(device)
    labels = torch.from_numpy(data["train_y"]).to(device)
    own = torch.from_numpy(rows).to(device)
    norms = {name: part for name, part in skeleton.named_modules() if isinstance(part, Normed)}

    def loss_of(weight: dict[str, Tensor], buffer: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Any]:
        scores = torch.func.functional_call(skeleton, (weight, buffer), (x.float(),))
        return F.cross_entropy(scores, y, label_smoothing=subject.smoothing), {name: part.seen for name, part in norms.items()}

    gradients = torch.func.vmap(torch.func.grad(loss_of, has_aux=True))
    speed = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    count, batch = rows.shape[1], min(subject.batch, rows.shape[1])
    each = count // batch
    total = subject.epochs * each
    generator = torch.Generator().manual_seed(hash(tuple(seeds)) % 2**31)
    for step in range(total):
        if step % each == 0:
            order = torch.argsort(torch.rand(len(rows), count, generator=generator).to(device), dim=1)
        at = step % each
        picked = own.gather(1, order[:, at * batch : (at + 1) * batch]) if batches is None else batches[step].to(device)
        found, seen = gradients(weights, buffers, pictures[picked], labels[picked])
        rate = subject.learning_rate * one_cycle(step / total, warmup=subject.warmup)
        for name, weight in weights.items():
            slope = found[name]
            if weight.ndim > 2:  # stacked: a matrix or kernel has one axis more
                slope = slope.add(weight, alpha=subject.weight_decay)
            speed[name].mul_(subject.momentum).add_(slope)
            weight.sub_(slope.add(speed[name], alpha=subject.momentum), alpha=rate)
        for name, (mean, variance) in seen.items():
            buffers[f"{name}.running_mean"].lerp_(mean, 0.1)
            buffers[f"{name}.running_var"].lerp_(variance, 0.1)
    return skeleton, weights, buffers


def scores_of(
    skeleton: nn.Module, weights: dict[str, Tensor], buffers: dict[str, Tensor], pictures: np.ndarray, *, device: str
) -> np.ndarray:
    """Give float32[network, example, score] in evaluation mode."""
    skeleton.eval()

    def forward(weight: dict[str, Tensor], buffer: dict[str, Tensor], x: Tensor) -> Tensor:
        made: Tensor = torch.func.functional_call(skeleton, (weight, buffer), (x.float(),))
        return made

    many = torch.func.vmap(forward, in_dims=(0, 0, None))
    with torch.inference_mode():
        parts = [many(weights, buffers, torch.from_numpy(pictures[at : at + 64]).to(device)).cpu() for at in range(0, len(pictures), 64)]
    return torch.cat(parts, dim=1).numpy()


def margins_of(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give float32[..., example]: the log odds of the right class, log p - log(1 - p)."""
    place = np.broadcast_to(labels[:, None], (*scores.shape[:-1], 1))
    own = np.take_along_axis(scores, place, -1)[..., 0]
    others = scores.astype(np.float64).copy()
    np.put_along_axis(others, place, -np.inf, -1)
    greatest = others.max(-1)
    return (own - greatest - np.log(np.exp(others - greatest[..., None]).sum(-1))).astype(np.float32)


def half_subsets(count: int, subsets: int) -> np.ndarray:
    """Give int64[subset, example // 2], sorted; subset k depends on k alone."""
    return np.stack([np.sort(np.random.default_rng([20261128, place]).permutation(count)[: count // 2]) for place in range(subsets)])


def main() -> None:
    """Retrain and write the margins."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subsets", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the number of the first subset, to share the work out")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--most", type=int, default=60, help="networks at once; 1: one by one with the product's own loop")
    given = parser.parse_args()
    subject = SUBJECTS[given.subject]
    data = arrays(subject)
    torch.set_float32_matmul_precision("highest")
    begun = time.monotonic()
    rows = half_subsets(subject.examples, given.first + given.subsets)[given.first :]
    margins = np.full((given.subsets, given.seeds, TESTS), np.nan, np.float32)
    jobs = [(place, seed) for seed in range(given.seeds) for place in range(given.subsets)]
    for start in range(0, len(jobs), given.most):
        some = jobs[start : start + given.most]
        seeds = [1000 + (given.first + place) * 17 + seed for place, seed in some]
        if given.most == 1:
            scores = train_one(subject, data, rows[some[0][0]], seeds[0])[None]
        else:
            trained = train_all(subject, data, rows[[place for place, _ in some]], seeds, device=given.device)
            scores = scores_of(*trained, data["test_x"], device=given.device)
        found = margins_of(scores, data["test_y"])
        for place, (subset, seed) in enumerate(some):
            margins[subset, seed] = found[place]
        done = start + len(some)
        if given.most > 1 or done % 20 == 0:
            np.savez_compressed(given.out, rows=rows.astype(np.int32), margins=margins, seconds=time.monotonic() - begun)
            right = float((margins[~np.isnan(margins)] > 0).mean())
            print(f"{given.subject}: {done} of {len(jobs)}, {time.monotonic() - begun:.0f} s, margins above 0: {right:.4f}", flush=True)


if __name__ == "__main__":
    main()
