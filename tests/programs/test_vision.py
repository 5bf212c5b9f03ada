"""Photos in a folder per class: the embedded hands, the sets by name, the predecessor, and photos of any kind."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tacit
from tacit.search.columns import columns
from tacit.search.recipe import recipe_for
from tacit.search.schedule import Progress
from tacit.search.training import Task, Training
from tacit.skeletons.table import network_for, skeleton_for
from tacit_programs.vision.hands import PHOTO, load_hands, write_hands
from tacit_programs.vision.predecessor import Components, Histograms, predecessor
from tacit_programs.vision.program import PROGRAM
from tacit_programs.vision.sets import SETS
from tacit_programs.vision.settings import with_settings


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PROGRAM.write(tmp_path_factory.mktemp("vision") / "hands", "hands", reporter=tacit.Reporter())


@pytest.fixture(scope="module")
def program(directory: Path) -> tacit.Program:
    return tacit.read(directory)


@pytest.fixture(scope="module")
def binary(program: tacit.Program) -> tacit.Binary:
    """Compile a small network for few steps: it runs, and is no good."""
    small = tacit.Program(
        "hands",
        program.signature,
        program.examples,
        goals=program.goals,
        skeleton="whitenet",
        settings={"width": 8, "depth": 0},
        recipe=program.recipe,
        budget=tacit.Budget(steps=30),
    )
    return tacit.compile(small)


def test_the_embedded_hands_are_small_and_whole():
    hands = load_hands()
    assert hands.shape == (110, 10, 48, 48, 3)
    assert len(np.unique(hands.reshape(1100, -1), axis=0)) == 1100
    assert sum(path.stat().st_size for path in PHOTO.parent.iterdir() if path.is_file()) < 1_000_000


def test_no_student_stands_in_two_splits(program):
    examples = program.examples
    splits = {group: set(examples.splits[examples.groups == group]) for group in np.unique(examples.groups)}
    assert len(splits) == 110
    assert all(len(found) == 1 for found in splits.values())
    assert {name: int((examples.splits == name).sum()) for name in ("train", "validation", "test")} == {
        "train": 790,
        "validation": 90,
        "test": 220,
    }


def test_the_photo_to_run_on_is_of_nobody_on_the_sheet():
    with Image.open(PHOTO) as photo:
        small = np.asarray(photo.resize((48, 48), Image.Resampling.LANCZOS, reducing_gap=3.0), dtype=float)
    distances = np.abs(load_hands().astype(float) - small).mean(axis=(2, 3, 4))
    assert distances.min() > 8.0  # a copy of it, saved anew, is within 3 of the photo


def test_its_settings_are_those_that_new_infers_but_for_the_network(tmp_path, directory):
    inferred = tacit.new(tmp_path / "inferred", source=write_hands(tmp_path / "photos"), label="{label}_{group}", name="hands")
    ours, theirs = (tomllib.loads((folder / "tacit.toml").read_text()) for folder in (directory, inferred))
    for section in ("program", "input", "output", "split"):
        assert ours[section] == theirs[section]


def test_what_it_writes_compiles_and_takes_photos_of_any_kind(tmp_path, binary):
    photo = Image.open(PHOTO).convert("RGB")
    expected = binary.scores(PHOTO)
    kinds = {
        "rotated.jpg": lambda path: photo.transpose(Image.Transpose.ROTATE_90).save(path, quality=95, exif=_turned()),
        "cmyk.jpg": lambda path: photo.convert("CMYK").save(path, quality=95),
        "alpha.png": lambda path: photo.convert("RGBA").save(path),
        "palette.gif": lambda path: photo.save(path, save_all=True, append_images=[Image.new("RGB", photo.size)]),
        "large.webp": lambda path: photo.resize((1500, 1500), Image.Resampling.BICUBIC).save(path),
        "grey16.png": lambda path: Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save(path),
    }
    for name, save in kinds.items():
        save(tmp_path / name)
        scores = binary.scores(tmp_path / name)
        assert np.isfinite(scores).all(), name
        near = 2.5 if name == "grey16.png" else 0.6  # without its colours it is another picture
        assert np.abs(scores - expected).max() < near * float(np.ptp(expected)), name


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the picture has to be turned clockwise to stand upright
    return exif.tobytes()


def test_a_photo_cut_short_is_refused_by_name(tmp_path, binary):
    (tmp_path / "cut.jpg").write_bytes(PHOTO.read_bytes()[:900])
    with pytest.raises(tacit.TacitError, match=r"expected a picture, got a damaged one - at `.*cut\.jpg`"):
        binary(tmp_path / "cut.jpg")


def test_folders_of_photos_are_enough(tmp_path, binary):
    for name in ("3", "5"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for student in range(8):
            Image.fromarray(load_hands()[student, int(name)]).resize((90, 70)).save(tmp_path / "mine" / name / f"{student}.jpg")
    made = tacit.read(tacit.new(tmp_path / "program", source=tmp_path / "mine"))
    assert str(made.signature.output) == 'Class("3", "5")'


def test_settings_replace_what_was_inferred_and_keep_the_rest():
    text = "# a note\n[budget]\nminutes = 5\n# macs = 1\n\n[goal]\n\n[train]\n"
    made = with_settings(text, {"budget": {"minutes": 30}, "train": {"augment": ["flip"]}})
    assert tomllib.loads(made) == {"budget": {"minutes": 30}, "goal": {}, "train": {"augment": ["flip"]}}
    assert "# a note" in made and "# macs = 1" in made


@pytest.mark.parametrize("name", [name for name in SETS if name != "hands"])
def test_a_set_that_is_nowhere_says_where_it_can_be_had(name, tmp_path, monkeypatch):
    source = SETS[name].source
    monkeypatch.setenv("TACIT_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if source.files:
        assert all(len(download.md5) == 32 and download.url.startswith("http") for download in source.files.values())
    else:
        with pytest.raises(tacit.TacitError, match="TACIT_DATA") as caught:
            PROGRAM.write(tmp_path / "made", name, reporter=tacit.Reporter())
        assert source.page in str(caught.value)
    assert not (tmp_path / "made").exists()


def test_the_archive_of_cifar_is_read_by_its_layout(tmp_path, monkeypatch):
    import tarfile

    generator = np.random.default_rng(0)
    records = {name: generator.integers(0, 256, (4, 3073)).astype(np.uint8) for name in ("data_batch_1", "test_batch")}
    for rows in records.values():
        rows[:, 0] = [0, 1, 2, 9]
    folder = tmp_path / "data" / "cifar10"
    folder.mkdir(parents=True)
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as tar:
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
            content = records["test_batch" if name == "test_batch" else "data_batch_1"].tobytes()
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with np.load(SETS["cifar10"].unpack(folder, tmp_path)) as arrays:
        assert arrays["x_test"].shape == (4, 32, 32, 3)
        assert arrays["x_test"][1, 2, 3, 1] == records["test_batch"][1, 1 + 1024 + 2 * 32 + 3]  # green follows red
        assert arrays["y_test"].tolist() == [0, 1, 2, 9]


def test_the_settings_for_a_gpu_build_and_take_steps():
    """They have not been run to their end: that wants a GPU."""
    settings = SETS["cifar10-gpu"].settings
    signature = tacit.Image(32, 32, 3) >> tacit.Class("a", "b")
    pictures = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    everything = columns(
        tacit.Examples(signature, np.arange(8).astype(str), (pictures,), np.arange(8) % 2, np.full(8, "train")), torch.device("cpu")
    )
    recipe = recipe_for(signature, settings["train"], examples=48_000)
    assert (recipe.batch, recipe.augment) == (512, ("flip", "shift"))
    own = {name: value for name, value in settings["skeleton"].items() if name != "name"}
    network = network_for(skeleton_for(signature, settings["skeleton"]["name"]), signature, own, inputs=(pictures,), seed=0)
    task = Task(signature, everything, everything, tacit.Goal("accuracy"))
    run = Training(task, network, recipe, Progress([(0, 2)]), seed=0, augment=True, low_precision=False)
    run.step()
    run.step()
    assert np.isfinite(run.loss) and run.progress.done


def test_histograms_see_the_direction_of_an_edge_and_not_the_light():
    steep = np.zeros((1, 24, 24, 1), np.uint8)
    steep[:, :, 12:] = 200
    flat = steep.transpose(0, 2, 1, 3)
    kind = Histograms(4, colour=False)
    one, other = (kind.of(picture).reshape(-1, 4, 9).sum((0, 1)) for picture in (steep, flat))
    assert one.argmax() == 0 and other.argmax() == 4  # across: 0 degrees; down: 90, half of 9 bins
    assert np.allclose(kind.of(steep), kind.of((steep * 0.5).astype(np.uint8)), atol=0.02)
    assert not np.allclose(kind.of(steep), kind.of(flat), atol=0.02)


def test_components_are_those_with_the_most_variance():
    generator = np.random.default_rng(1)
    features = (generator.normal(size=(200, 3)) * [0.1, 5.0, 1.0]).astype(np.float32)
    found = Components.fitted(features, 2)
    assert np.abs(found.directions[:, 0]).argmax() == 1 and np.abs(found.directions[:, 1]).argmax() == 2


def test_the_predecessor_is_chosen_on_validation_and_told_in_a_row(program, monkeypatch):
    monkeypatch.setattr("tacit_programs.vision.predecessor.CELLS", (6,))
    monkeypatch.setattr("tacit_programs.vision.predecessor.COMPONENTS", (60,))
    monkeypatch.setattr("tacit_programs.vision.predecessor.REGULARISATION", (10.0,))
    row = predecessor(program.examples, reporter=tacit.Reporter())
    assert (row.kind, row.metric) == ("predecessor", "accuracy")
    assert 0.55 < row.score < 0.99
    assert "of 4 ways on validation" in row.note
    json.dumps(row.to_json())


@pytest.mark.system
def test_the_program_reaches_its_number_and_no_more_than_is_possible(directory):
    """Students that it never saw; above the ceiling the test split would have leaked."""
    binary = tacit.compile(tacit.read(directory))
    accuracy = binary.evidence["scores"]["test"]["accuracy"]
    assert 0.85 <= accuracy <= 0.995
    assert binary(PHOTO) == "7"
    assert tacit.test(binary, against=directory).met
