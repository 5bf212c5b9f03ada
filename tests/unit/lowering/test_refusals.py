import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tacit.ground.errors import LoweringError
from tacit.lowering.lower import lower_module
from tacit.signature.base import ArraySpec

FRAMES = [ArraySpec("frames", (5, 8), "float32", ("time", "channel"))]


def refusal(module, specs=FRAMES, **options):
    with pytest.raises(LoweringError) as caught:
        lower_module(module, specs, **options)
    return re.sub(r"test_refusals.py:\d+", "FILE:LINE", str(caught.value))


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.act, self.out = nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)

    def forward(self, x):
        x = self.act(self.norm(x))
        scores = F.softmax(x @ x.transpose(1, 2), -1)
        return self.out((scores @ x).mean(1)) / x.mean((1, 2))[:, None]


def test_every_offender_is_named_with_its_line_and_what_to_write_instead():
    assert refusal(nn.Sequential(Norms())) == (
        "expected only operations that are matmuls and ReLUs (4 problems)\n"
        "  - layer_norm - FILE:LINE 0.norm (LayerNorm): is not within the two operations; "
        "use `nn.BatchNorm1d` (it is folded away), or no norm and a smaller learning rate\n"
        "  - gelu - FILE:LINE 0.act (GELU): is not made of ReLUs; use `nn.ReLU`, or allow an approximation with `approximate=1e-3`\n"
        "  - softmax - FILE:LINE 0 (Norms): is not within the two operations; "
        "return the scores before the softmax, and let the caller apply it; inside attention use `relu(scores) / length`\n"
        "  - div - FILE:LINE 0 (Norms): division by a value that depends on the input; "
        "multiply by `torch.reciprocal(x.clamp(low, high))` and compile with `approximate=1e-3`, or divide by a constant"
    )


def test_the_line_is_the_persons_own():
    with pytest.raises(LoweringError, match=r"test_refusals\.py:\d+ norm \(LayerNorm\)"):
        lower_module(Norms(), FRAMES)


class Branch(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class OverBatch(nn.Module):
    def forward(self, x):
        return x.mean(2) - x.mean((0, 2))


class Flattened(nn.Module):
    def forward(self, x):
        return x.flatten()


class Unbounded(nn.Module):
    def forward(self, x):
        return torch.log(x).mean(1)


class Steep(nn.Module):
    def forward(self, x):
        return torch.reciprocal(x.clamp(-1, 1)).mean(1)


class Last(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


def test_control_flow():
    assert (
        refusal(Branch()).splitlines()[0]
        == "expected a module whose forward is a straight line, but torch can't trace Branch - at FILE:LINE"
    )
    assert "without `if`, `while`" in refusal(Branch())


def test_examples_that_depend_on_each_other():
    assert refusal(OverBatch()) == (
        "expected outputs with the batch as their first axis, one row per example\n"
        "output 0 of an example changes with the other examples of its batch\n"
        "try: keep axis 0 apart: `x.flatten(1)`, `x.mean((2, 3))`, `x.reshape(x.shape[0], ...)`"
    )


def test_a_lost_batch_axis():
    assert (
        refusal(Flattened())
        == "expected outputs of shape [batch, ...], got [40] for a batch of 1 - at FILE:LINE (Flattened)\ntry: keep axis 0: `x.flatten(1)`"
    )


def test_inputs_that_do_not_fit():
    assert refusal(nn.Linear(7, 2)) == (
        "expected a module that takes frames: float32[1, 5, 8], but Linear fails on it\n"
        "torch says: mat1 and mat2 shapes cannot be multiplied (5x8 and 7x2)\n"
        "try: call the module on such arrays by hand; the batch is axis 0, images are [batch, y, x, channel]"
    )


def test_functions_without_a_bounded_range():
    assert refusal(Unbounded(), approximate=1e-3) == (
        "expected only operations that are matmuls and ReLUs (1 problem)\n"
        "  - log - FILE:LINE (Unbounded): has an argument without bounds; clamp it first: `torch.log(x.clamp(low, high))`"
    )
    assert "is not finite on -1 ... 1; clamp its argument to where it is finite" in refusal(Steep(), approximate=1e-3)


@pytest.mark.parametrize(
    ("layer", "operation"),
    [
        (nn.GroupNorm(1, 5), "group_norm"),
        (nn.Softmax(1), "softmax"),
        (Last(nn.LSTM(8, 8)), "lstm"),
        (nn.Upsample(scale_factor=2, mode="linear"), "upsample_linear1d"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_is_told_what_to_write_instead(layer, operation):
    found = refusal(layer)
    assert f"  - {operation} - " in found
    assert "; use" in found or "; return" in found


def test_an_embedding_smaller_than_the_limit():
    class Few(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(5, 2)

        def forward(self, x):
            return self.table(x).flatten(1)

    torch.manual_seed(0)
    found = refusal(Few(), [ArraySpec("tokens", (1,), "int32", ("token",), 6)])
    assert found in (
        "expected only operations that are matmuls and ReLUs (1 problem)\n"
        "  - embedding - FILE:LINE table (Embedding): an embedding of 5 rows whose indices reach from 0 to 5; "
        "make the table 6 rows or lower the limit of the input",
        "expected a module that takes tokens: int32[1, 1], but Few fails on it\n"
        "torch says: index out of range in self\n"
        "try: call the module on such arrays by hand; the batch is axis 0, images are [batch, y, x, channel]",
    )


def test_outputs_that_are_no_tensors():
    assert (
        refusal(nn.LSTM(8, 8)) == "expected a tensor or a tuple of tensors, LSTM gives tuple\ntry: return the scores, float32[batch, width]"
    )
