import numpy as np
import pytest
import torch

from tacit.examples.infer import steps_of
from tacit.ground.errors import ConfigError, InputError
from tacit.ir.interpreter import evaluate
from tacit.lowering.lower import lower_module
from tacit.signature.audio import Audio, framing
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.signature.symbols import Symbols
from tacit.skeletons.audionet import build, strides_for


@pytest.mark.parametrize("steps, strides", [(97, (1, 1, 1)), (49, (2, 1, 1)), (25, (2, 2, 1)), (13, (2, 2, 2))])
def test_frames_become_steps_by_halving(steps, strides):
    assert strides_for(97, steps) == strides


def test_a_number_of_steps_that_can_not_be_had_is_refused_with_those_that_can():
    with pytest.raises(ConfigError) as caught:
        build(Audio(8000, 8000) >> Symbols("a", steps=30))
    assert "97, 49, 25 or 13 steps" in str(caught.value)
    assert "steps = 25" in str(caught.value)


@pytest.mark.parametrize("audio", [Audio(8000, 8000), Audio(16000, 20000), Audio(8000, 300), Audio(22050, 9000)])
def test_what_is_inferred_can_be_built(audio):
    output = Symbols("a", "b", steps=steps_of(audio))
    scores = build(audio >> output, width=4, depth=0)(torch.zeros(2, audio.samples))
    assert scores.shape == (2, output.width)


def test_sequences_need_an_input_that_goes_on_in_time():
    with pytest.raises(InputError, match="expected sounds"):
        steps_of(Image(8, 8, 1))


def network():
    torch.manual_seed(0)
    audio = Audio(4000, 8000)
    net = build(audio >> Symbols("a", "b", steps=steps_of(audio)), width=4, depth=1).eval()
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(part.running_mean, std=0.2)
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
    return audio, net


def test_scores_of_steps_move_with_the_sound():
    audio, net = network()
    window, hop = framing(audio.rate)
    sound = np.zeros((2, audio.samples), np.float32)
    burst = (np.random.default_rng(0).normal(size=400) * 3000).astype(np.float32)
    sound[0, 3200:3600] = burst
    sound[1, 3200 + 8 * hop : 3600 + 8 * hop] = burst  # eight frames, two steps
    with torch.no_grad():
        first, second = net(torch.from_numpy(sound)).reshape(2, -1, 3)
    inside = slice(8, -10)  # what lies beyond the ends is heard some 6 steps far
    assert torch.allclose(first[inside], torch.roll(second, -2, 0)[inside], atol=1e-4)
    assert not torch.allclose(first, second, atol=1e-2)
    assert window > hop


def test_a_sequence_is_lowered_step_by_step():
    audio, net = network()
    sound = (np.random.default_rng(1).normal(size=(3, audio.samples)) * 3000).astype(np.float32)
    graph = lower_module(net, audio.arrays).graph
    with torch.no_grad():
        wanted = net(torch.from_numpy(sound)).numpy()
    got = evaluate(graph, [sound])[0].reshape(wanted.shape)
    assert np.abs(got - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_another_microphone_is_nothing_to_a_network_that_takes_the_whole_mean_of_each_band():
    torch.manual_seed(0)
    audio = Audio(8000, 6400)
    levels = torch.randn(2, 40, 78)
    microphone = torch.linspace(-1.0, 1.0, 40)[:, None]
    moved = {}
    for share in (0.0, 0.5, 1.0):
        net = build(audio >> Class("a", "b"), width=4, depth=0, centred=share).eval()
        with torch.no_grad():
            moved[share] = float((net.behind_front(levels + microphone) - net.behind_front(levels)).abs().max())
    assert moved[1.0] < 1e-5 < moved[0.5] and moved[0.0] > 1e-5
    sound = (np.random.default_rng(1).normal(size=(3, audio.samples)) * 3000).astype(np.float32)
    with torch.no_grad():
        wanted = net(torch.from_numpy(sound)).numpy()
    got = evaluate(lower_module(net, audio.arrays).graph, [sound])[0]
    assert np.abs(got - wanted).max() < 1e-3 * np.abs(wanted).max()
