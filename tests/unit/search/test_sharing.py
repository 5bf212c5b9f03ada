"""Two processes that share each batch of a run take the steps of one."""

import functools

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tacit.goals.goal import Goal
from tacit.ground.progress import Reporter
from tacit.search.columns import columns
from tacit.search.recipe import Recipe
from tacit.search.running import Runner, Stop
from tacit.search.schedule import Progress
from tacit.search.sharing import Split, _tell_layers, sharers, take_part
from tacit.search.training import Task, Training
from tacit.skeletons.table import CONVNET_2D, network_for
from tests.unit.search.small_task import examples

WORLD, STEPS = 2, 3


def run() -> Training:
    """Give a run whose batch of 15 can't be halved, with batch norms, dropout, augmentation and mixup."""
    whole, cpu = examples(), torch.device("cpu")
    network = network_for(CONVNET_2D, whole.signature, {"width": 8, "dropout": 0.3}, inputs=whole.inputs, seed=0)
    task = Task(whole.signature, columns(whole.split("train"), cpu), columns(whole.split("validation"), cpu), Goal("accuracy"))
    recipe = Recipe(batch=15, learning_rate=0.05, mixup=0.2, clip=5.0)
    return Training(task, network, recipe, Progress([(0, STEPS)]), seed=3, augment=True, low_precision=False)


def finish(training: Training, *, spoil: bool = False) -> dict[str, torch.Tensor]:
    """Train to the end. spoil: as if the loss had become infinite once, so that the run goes back with a lower rate."""
    runner = Runner(training, reporter=Reporter(), stop=Stop())
    if spoil:
        training.step()
        runner._recover()
    runner.finish()
    return {**training.weights(), "sums": training.dynamics.sums, "rate": torch.tensor(training.rate)}


def norms() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5, momentum=None), nn.BatchNorm1d(5, affine=False, track_running_stats=False))


def slopes(body: nn.Module, part: slice) -> dict[str, torch.Tensor]:
    """Give the gradient of a sum over a part of 7 examples, and the state, after a pass in training mode."""
    x = torch.randn((7, 6), generator=torch.Generator().manual_seed(1))
    weights = torch.randn((7, 5), generator=torch.Generator().manual_seed(2))
    (body(x[part]) * weights[part]).sum().backward()
    return {name: parameter.grad for name, parameter in body.named_parameters()} | dict(body.named_buffers())


def process(rank: int, store: str, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD)
    wrap = functools.partial(DistributedDataParallel, broadcast_buffers=False)
    found = {}
    for spoil in (False, True):
        training = run()
        found[f"spoilt {spoil}"] = take_part(training, wrap, lambda training=training, spoil=spoil: finish(training, spoil=spoil))
        found[f"left {spoil}"] = training.weights()
    split = Split(rank, WORLD)
    split.count = 7
    body = norms()
    _tell_layers(body, split)
    gradients = slopes(body, split.mine)
    for name, _ in body.named_parameters():
        dist.all_reduce(gradients[name])
    found["norms"] = gradients
    torch.save(found, f"{out}{rank}")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What each process was left with."""
    folder = tmp_path_factory.mktemp("shared")
    multiprocessing.spawn(process, args=(str(folder / "store"), str(folder / "out")), nprocs=WORLD)
    return [torch.load(folder / f"out{rank}") for rank in range(WORLD)]


@pytest.mark.parametrize("spoil", [False, True])
def test_the_weights_are_those_of_one_process(shared, spoil):
    alone, together = finish(run(), spoil=spoil), shared[0][f"spoilt {spoil}"]
    assert alone.keys() == together.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, rtol=2e-4, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}")
    moved = max(
        float((tensor.float() - run().weights()[name].float()).abs().max()) for name, tensor in alone.items() if name.endswith("weight")
    )
    assert moved > 1e-3  # else being close would say nothing


@pytest.mark.parametrize("spoil", [False, True])
def test_both_processes_have_the_same_weights(shared, spoil):
    for name, tensor in shared[0][f"left {spoil}"].items():
        np.testing.assert_array_equal(tensor, shared[1][f"left {spoil}"][name], err_msg=name)


def test_norms_of_every_kind_have_the_slopes_of_the_whole(shared):
    whole = slopes(norms(), slice(None))
    for name, tensor in whole.items():
        for rank in range(WORLD):
            torch.testing.assert_close(shared[rank]["norms"][name], tensor, rtol=1e-4, atol=1e-5)
    alone = slopes(norms(), slice(0, 3))  # seen to fail: a norm that knows its part only
    assert not torch.allclose(alone["0.weight"], whole["0.weight"], atol=1e-3)


def test_rows_are_split_whole_and_once():
    split = Split(1, 3)
    split.count = 8
    assert split.sizes() == [2, 3, 3] and split.mine == slice(2, 5)


@pytest.mark.parametrize(
    ("wanted", "macs", "steps", "device", "count"),
    [
        (None, 10**7, 10**5, "cpu", 3),  # each has a thousand million to do
        (None, 10**8, 10**5, "cpu", 4),
        (None, 10**5, 10**5, "cpu", 1),
        (None, 10**7, 10, "cpu", 1),
        (3, 0, 10, "cpu", 3),
        (9, 0, 10, "cpu", 4),
        (1, 10**9, 10**5, "cpu", 1),
        (4, 10**9, 10**5, "cuda", 1),
    ],
)
def test_how_many_share(wanted, macs, steps, device, count):
    assert sharers(4, wanted=wanted, macs=macs, batch=128, steps=steps, device=torch.device(device)) == count
