import pytest
import torch

from tacit.search.augmentation import AUGMENTATIONS
from tacit.signature.base import ArraySpec

SPECS = [
    ArraySpec("picture", (28, 20, 3), "uint8", ("row", "column", "channel")),
    ArraySpec("series", (6, 128), "float32", ("channel", "time")),
    ArraySpec("samples", (4000,), "int16", ("sample",)),
    ArraySpec("pieces", (16, 8), "int32", ("token", "piece"), limit=100),
    ArraySpec("numbers", (5,), "float32", ("number",)),
    ArraySpec("mel", (20, 60), "float32", ("channel", "time")),
]


def batch(spec, seed=0):
    generator = torch.Generator().manual_seed(seed)
    if spec.limit is not None:
        return torch.randint(1, spec.limit, (32, *spec.shape), generator=generator, dtype=torch.int32)
    return torch.rand((32, *spec.shape), generator=generator) * 255


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_keeps_shape_and_dtype_and_repeats_with_the_generator(name, spec):
    x, augment = batch(spec), AUGMENTATIONS.get(name)
    first = augment(x.clone(), spec, torch.Generator().manual_seed(1))
    again = augment(x.clone(), spec, torch.Generator().manual_seed(1))
    assert first.shape == x.shape
    assert first.dtype == x.dtype
    assert torch.equal(first, again)
    if spec.limit is not None:
        assert first.min() >= 0
        assert first.max() < spec.limit


@pytest.mark.parametrize(
    "name, place",
    [("shift", 0), ("flip", 0), ("affine", 0), ("erase", 0), ("scale", 1), ("jitter", 1), ("mask", 1), ("gain", 2), ("dropout_tokens", 3)]
    + [(name, 5) for name in ("warp", "floor", "tilt")],
)
def test_changes_what_it_is_for(name, place):
    x = batch(SPECS[place])
    assert not torch.equal(AUGMENTATIONS.get(name)(x.clone(), SPECS[place], torch.Generator().manual_seed(1)), x)


def test_shift_moves_whole_pictures_by_whole_places():
    spec = ArraySpec("picture", (24, 24, 1), "uint8", ("row", "column", "channel"))
    x = torch.zeros(64, 24, 24, 1)
    x[:, 12, 12] = 255.0
    moved = AUGMENTATIONS.get("shift")(x, spec, torch.Generator().manual_seed(0))
    assert (moved.sum(dim=(1, 2, 3)) == 255.0).all()
    places = {tuple(place) for place in (moved[..., 0] > 0).nonzero()[:, 1:].tolist()}
    assert len(places) > 10
    assert all(abs(row - 12) <= 2 and abs(column - 12) <= 2 for row, column in places)


@pytest.mark.parametrize(("name", "axis"), [("flip", 1), ("upend", 0)])
def test_flip_mirrors_about_half(name, axis):
    spec = SPECS[0]
    x = batch(spec)
    mirrored = AUGMENTATIONS.get(name)(x, spec, torch.Generator().manual_seed(0))
    turned = [bool(torch.equal(mirrored[place], x[place].flip(axis))) for place in range(len(x))]
    same = [bool(torch.equal(mirrored[place], x[place])) for place in range(len(x))]
    assert 8 <= sum(turned) <= 24
    assert all(a != b for a, b in zip(turned, same, strict=True))


def test_warp_stretches_and_keeps_what_is_in_the_middle_of_time():
    spec = SPECS[5]
    x = torch.zeros(256, 20, 60)
    x[:, 3:5, 6:54] = 1.0
    moved = AUGMENTATIONS.get("warp")(x, spec, torch.Generator().manual_seed(0))
    lengths = (moved.amax(dim=1) > 0.5).sum(dim=1)
    assert 36 <= int(lengths.min()) < 42 < 50 < int(lengths.max()) <= 54
    inside = (moved.amax(dim=1)[:, [0, -1]] < 0.5).all(dim=1)
    assert inside.float().mean() == 1.0  # nothing was moved out of what is seen
    assert len({int(row) for row in moved.amax(dim=2).argmax(dim=1)}) > 2  # channels, too


def test_floor_only_adds_and_lets_a_quarter_be():
    spec = SPECS[5]
    x = torch.rand((200, 20, 60), generator=torch.Generator().manual_seed(0)) * 10
    buried = AUGMENTATIONS.get("floor")(x, spec, torch.Generator().manual_seed(1))
    assert (buried >= x).all()
    untouched = (buried == x).flatten(1).all(dim=1).float().mean()
    assert 0.15 < float(untouched) < 0.35
    assert (buried.flatten(1).amax(dim=1) - x.flatten(1).amax(dim=1)).median() < 2.0  # the loudest still stands out


def test_tilt_is_the_same_at_every_moment():
    spec = SPECS[5]
    x = torch.rand((32, 20, 60), generator=torch.Generator().manual_seed(0))
    added = AUGMENTATIONS.get("tilt")(x, spec, torch.Generator().manual_seed(1)) - x
    assert torch.allclose(added, added[:, :, :1].expand_as(added), atol=1e-5)
    assert 0.3 < float(added[:, :, 0].std()) < 1.5
