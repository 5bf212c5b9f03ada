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
    [("shift", 0), ("flip", 0), ("affine", 0), ("erase", 0), ("scale", 1), ("jitter", 1), ("mask", 1), ("gain", 2), ("dropout_tokens", 3)],
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


def test_flip_mirrors_about_half():
    spec = SPECS[0]
    x = batch(spec)
    mirrored = AUGMENTATIONS.get("flip")(x, spec, torch.Generator().manual_seed(0))
    turned = [bool(torch.equal(mirrored[place], x[place].flip(1))) for place in range(len(x))]
    same = [bool(torch.equal(mirrored[place], x[place])) for place in range(len(x))]
    assert 8 <= sum(turned) <= 24
    assert all(a != b for a, b in zip(turned, same, strict=True))
