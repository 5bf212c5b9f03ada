import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from tacit.ir.interpreter import evaluate
from tacit.lowering.export import sample_arrays
from tacit.lowering.lifting import lift, lowered_again
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.signature.audio import Audio
from tacit.signature.base import ArraySpec
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text
from tacit.skeletons.table import network_for, skeleton_for
from tests.ir.random_graphs import graphs, sample_inputs

NAMES = Class("a", "b", "c")
ROW = Row(numbers=("x", "y"), categories=(("city", ("Rome", "Oslo")), ("job", ("nurse", "clerk", "cook"))))
SIGNATURES = {
    "convnet2d": Image(14, 12, 3) >> NAMES,
    "convnet2d halved": Image(28, 28, 1) >> NAMES,
    "seriesnet": Series(3, 40) >> NAMES,
    "convnet1d": Series(3, 40) >> NAMES,
    "textnet": Text(16, 64) >> NAMES,
    "audionet": Audio(8000, 1600) >> NAMES,
    "mlp": ROW >> NAMES,
    "product": (Image(8, 8, 1) * ROW) >> NAMES,
}


def as_tuple(found):
    return found if isinstance(found, tuple) else (found,)


def close(found, wanted, tolerance=1e-4):
    finite = np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0)
    return np.allclose(found, wanted, rtol=1e-3, atol=tolerance * max(1.0, finite), equal_nan=True)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_a_lifted_graph_computes_what_the_interpreter_does(graph):
    arrays = sample_inputs(graph, 3, 0)
    found = as_tuple(lift(graph)(*(torch.from_numpy(np.asarray(array)) for array in arrays)))
    for one, other in zip(found, evaluate(graph, arrays), strict=True):
        assert close(one.detach().numpy(), other)


@pytest.fixture(scope="module", params=SIGNATURES)
def lowered(request):
    signature = SIGNATURES[request.param]
    specs = signature.input.arrays
    arrays = sample_arrays(specs, batch=16)
    name = request.param.split()[0]
    network = network_for(skeleton_for(signature, name), signature, {}, inputs=tuple(a.numpy() for a in arrays), seed=0)
    network.train()
    with torch.no_grad():
        network(*arrays)  # so that norms are not the identity
    network.eval()
    return network, optimise(lower_module(network, specs).graph), arrays


def test_every_skeleton_comes_back_as_a_module(lowered):
    network, graph, arrays = lowered
    with torch.no_grad():
        wanted, found = network(*arrays).numpy(), lift(graph)(*arrays).numpy()
    assert close(found, wanted, 1e-5 if np.abs(wanted).max() > 1 else 1e-4)
    broken = lift(graph)
    with torch.no_grad():
        [*broken.parameters()][-1].add_(0.5)
        assert not close(broken(*arrays).numpy(), wanted)


def test_gradients_reach_every_weight_and_a_step_lowers_the_loss(lowered):
    _, graph, arrays = lowered
    module = lift(graph)
    targets = torch.arange(16) % 3
    optimiser = torch.optim.AdamW(module.parameters(), lr=3e-4)
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.cross_entropy(module(*arrays), targets)
        optimiser.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in module.parameters())
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_gradients_of_a_lifted_network_are_those_of_the_network():
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(2, 4, 3, stride=2, padding=1)
    network = torch.nn.Sequential(convolution, torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 3))
    specs = (ArraySpec("x", (2, 8, 8), "float32", ("channel", "row", "column")),)
    (x,) = sample_arrays(specs, batch=5)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    network(one).square().sum().backward()
    lift(lower_module(network, specs).graph)(other).square().sum().backward()
    assert torch.allclose(one.grad, other.grad, rtol=1e-3, atol=1e-5)


def test_the_graph_comes_back_with_the_weights_of_now(lowered):
    _, graph, arrays = lowered
    module = lift(graph)
    again = lowered_again(module)
    assert again.instructions == graph.instructions
    assert all(np.allclose(again.weights[name], values, rtol=1e-5, atol=1e-6) for name, values in graph.weights.items())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.01)
        wanted = module(*arrays).numpy()
    found = evaluate(lowered_again(module), [array.numpy() for array in arrays])[0]
    assert close(found, wanted)


def test_what_an_instruction_is_made_of_is_not_trained():
    pool = torch.nn.Sequential(torch.nn.AvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(4, 2))
    module = lift(lower_module(pool, [ArraySpec("x", (1, 4, 4), "float32", ("channel", "row", "column"))]).graph)
    assert sorted(parameter.numel() for parameter in module.parameters()) == [2, 8]


def test_two_lifted_graphs_can_share_weights():
    graph = lower_module(torch.nn.Linear(3, 2), [ArraySpec("x", (3,), "float32", ("column",))]).graph
    one = lift(graph)
    other = lift(graph).sharing(one)
    with torch.no_grad():
        next(one.parameters()).add_(1.0)
    assert torch.equal(one(torch.ones(1, 3)), other(torch.ones(1, 3)))
