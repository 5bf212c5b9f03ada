"""One training run in several processes: each computes a part of every batch, and all of them take the same step.

The weights come out as those of one process, up to the order in which floats are summed. Whatever looks at a whole batch has to be
told of the other parts: the loss (it is computed of all scores, in every process), batch norms (their sums are exchanged; PyTorch's
own `SyncBatchNorm` knows GPUs only), and dropout (each process draws the mask of the whole batch and takes its rows).

The first process leads: it decides what one process would (when to look at validation, to plan anew, to go back), and tells the others
each step. They follow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.search.schedule import Progress
from tacit.search.training import Training

#: Workers share a batch by themselves when each has so many multiply-accumulates to do per step, and all of them so many in all: an
#: exchange takes a millisecond per batch norm, and setting the group up takes up to a minute.
MACS_PER_STEP, MACS_IN_ALL = 1e9, 1e13
_END, _STEP = 0.0, 1.0
#: More steps than any plan has; the leader says when it is over.
_ENDLESS = 1 << 40


class Split:
    """Which rows of a batch are whose. count: of the batch at hand."""

    def __init__(self, rank: int, world: int) -> None:
        self.rank, self.world, self.count = rank, world, 0

    def bounds(self, rank: int) -> tuple[int, int]:
        """Give the first row of a process and the one behind its last."""
        return self.count * rank // self.world, self.count * (rank + 1) // self.world

    @property
    def mine(self) -> slice:
        """The rows of this process."""
        return slice(*self.bounds(self.rank))

    def sizes(self) -> list[int]:
        """Give how many rows each process has."""
        return [last - first for first, last in map(self.bounds, range(self.world))]


class Shared:
    """The `Spread` of one process of a group that `torch.distributed` has set up."""

    def __init__(self, training: Training, *, wrap: Callable[[nn.Module], nn.Module]) -> None:
        """Take part. wrap: gives a module whose backward pass leaves the mean of all processes' gradients, as DistributedDataParallel."""
        self.split = Split(dist.get_rank(), dist.get_world_size())
        self._rate = training.rate
        _tell_layers(training.network, self.split)
        self._body = wrap(training.body)
        training.spread = self

    def begin(self, training: Training) -> None:
        """Tell the others, or be told, which step comes now; after a return to earlier weights everyone gets the leader's."""
        header = torch.tensor([_STEP, training.progress.step, training.progress.fraction, training.rate], dtype=torch.float64)
        if self.split.rank == 0:
            dist.broadcast(header, 0)
        self._agree(training, float(header[3]))

    def follow(self, training: Training) -> None:
        """Take every step that the leader takes, until it ends."""
        while True:
            header = torch.zeros(4, dtype=torch.float64)
            dist.broadcast(header, 0)
            if float(header[0]) == _END:
                return
            training.progress = Progress([(0, _ENDLESS)])
            training.progress.step, training.progress.fraction = int(header[1]), float(header[2])
            training.rate = float(header[3])
            training.step()

    def end(self) -> None:
        """Send the others home."""
        dist.broadcast(torch.full((4,), _END, dtype=torch.float64), 0)

    def _agree(self, training: Training, rate: float) -> None:
        if rate != self._rate:  # the leader has gone back after a loss that was not finite
            for tensor in training.network.state_dict().values():
                dist.broadcast(tensor, 0)
            if self.split.rank:
                training.optimiser.state.clear()
            self._rate = rate

    def scores(self, training: Training, arrays: tuple[Tensor, ...]) -> Tensor:
        """Give float32[batch, score] of the whole batch: the rows of this process with their gradient, those of others without."""
        self.split.count = len(arrays[0])
        own = training.scores(tuple(array[self.split.mine] for array in arrays), body=self._body)
        sizes = self.split.sizes()
        sent = own.detach()
        if len(sent) < max(sizes):  # all send equally much
            sent = torch.cat([sent, sent.new_zeros((max(sizes) - len(sent), *sent.shape[1:]))])
        parts = [torch.empty_like(sent) for _ in sizes]
        dist.all_gather(parts, sent.contiguous())
        return torch.cat([own if rank == self.split.rank else part[: sizes[rank]] for rank, part in enumerate(parts)])

    def backward(self, loss: Tensor) -> None:
        """Sum the parts of the gradient: the mean that `wrap` gives, times the number of processes."""
        (loss * self.split.world).backward()  # type: ignore[no-untyped-call]


def _tell_layers(network: nn.Module, split: Split) -> None:
    """Let the layers that look at a whole batch know of the parts; their names and their state stay as they are."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.forward = functools.partial(_whole_norm, layer, split)  # type: ignore[method-assign]
        elif isinstance(layer, nn.Dropout):
            layer.forward = functools.partial(_whole_dropout, layer, split)  # type: ignore[method-assign]


def _whole_dropout(layer: nn.Dropout, split: Split, x: Tensor) -> Tensor:
    """Draw as one process would for the batch as a whole, and take the rows of this process."""
    if not layer.training or layer.p == 0.0:
        return x
    whole = torch.empty((split.count, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=_layout(x)).fill_(1.0)
    return x * F.dropout(whole, layer.p, training=True)[split.mine]


def _layout(x: Tensor) -> torch.memory_format:
    four = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if four else torch.contiguous_format


def _whole_norm(layer: Any, split: Split, x: Tensor) -> Tensor:
    """Normalise by mean and variance over the batch as a whole; x: float[row of this process, channel, ...]."""
    if not (layer.training or layer.running_mean is None):
        return F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, False, 0.0, layer.eps)
    places = x[0, 0].numel() if len(x) else 0
    counts = torch.tensor([size * places for size in split.sizes()], dtype=torch.float32, device=x.device)
    mean, variance = _moments(x.detach().float(), counts, split)
    total = float(counts.sum())
    if layer.training and layer.running_mean is not None:
        layer.num_batches_tracked.add_(1)
        momentum = 1.0 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
        layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), momentum)
        layer.running_var.lerp_((variance * (total / max(1.0, total - 1.0))).to(layer.running_var.dtype), momentum)
    out: Tensor = _Normalise.apply(x, layer.weight, layer.bias, mean, variance, layer.eps, total)  # type: ignore[no-untyped-call]
    return out


def _moments(x: Tensor, counts: Tensor, split: Split) -> tuple[Tensor, Tensor]:
    """Give float32[channel] twice, mean and variance over all processes, from those of each.

    Source: Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", formula for pairs, for any number of parts.
    """
    axes = [axis for axis in range(x.ndim) if axis != 1]
    parts = x.new_zeros((split.world, 2, x.shape[1]))
    if x.numel():
        variance, mean = torch.var_mean(x, axes, correction=0)
        parts[split.rank, 0], parts[split.rank, 1] = mean, variance
    dist.all_reduce(parts)
    shares = (counts / counts.sum())[:, None]
    mean = (shares * parts[:, 0]).sum(0)
    return mean, (shares * (parts[:, 1] + (parts[:, 0] - mean) ** 2)).sum(0)


class _Normalise(torch.autograd.Function):
    """``weight * (x - mean) / sqrt(variance + eps) + bias``, where mean and variance depend on the x of every process."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float, total: float
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.total, ctx.has_bias = eps, total, bias is not None
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        """Give the slopes of x, weight and bias; the sums over the batch as a whole are exchanged (Ioffe and Szegedy 2015, section 3)."""
        x, weight, mean, variance = ctx.saved_tensors
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        scale = torch.rsqrt(variance + ctx.eps)
        centred = x - mean.view(shape)
        sums = torch.stack([slope.sum(axes), (slope * centred).sum(axes) * scale]).float()
        own = sums.clone()
        dist.all_reduce(sums)
        sums /= ctx.total
        by = scale if weight is None else scale * weight
        centred.mul_((scale * sums[1]).view(shape))
        given = (slope - centred).sub_(sums[0].view(shape)).mul_(by.view(shape)).to(x.dtype)
        return given, own[1] if weight is not None else None, own[0] if ctx.has_bias else None, None, None, None, None


def take_part(training: Training, wrap: Callable[[nn.Module], nn.Module], lead: Callable[[], Any]) -> Any:
    """Train in this process's role. lead: what the first one does, such as `Runner.finish`; the others give None."""
    shared = Shared(training, wrap=wrap)
    if shared.split.rank:
        shared.follow(training)
        return None
    result = lead()
    shared.end()
    return result


def sharers(workers: int, *, wanted: int | None, macs: int, batch: int, steps: int, device: torch.device) -> int:
    """Give how many workers share a batch: those wanted, or as many as pays. A function of what is asked, never of a clock.

    macs: of one example. steps: of the whole run.

    >>> sharers(4, wanted=None, macs=10_000_000, batch=256, steps=20_000, device=torch.device("cpu"))
    4
    >>> sharers(4, wanted=None, macs=300_000, batch=128, steps=20_000, device=torch.device("cpu"))
    1
    """
    if device.type != "cpu":
        return 1  # one GPU is faster than the CPUs of a few workers
    if wanted is not None:
        return max(1, min(wanted, workers, batch))
    work = 3.0 * macs * batch  # forward once, backward twice
    most = int(work / MACS_PER_STEP)
    return max(1, min(workers, most)) if work * steps >= MACS_IN_ALL else 1
