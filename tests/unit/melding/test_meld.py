import dataclasses

import numpy as np
import pytest
import torch

from tacit.binary.binary import Binary
from tacit.binary.loading import from_bytes
from tacit.ground.errors import BudgetError, ConfigError, InputError
from tacit.ground.progress import Reporter
from tacit.ir.interpreter import evaluate
from tacit.melding.fitting import fit
from tacit.melding.meld import WEIGHTS, meld
from tacit.melding.network import LiftedPart, Melded, ended, pipeline
from tacit.melding.parts import Part, open_parts
from tacit.melding.splitting import split
from tacit.search.rebuilding import rebuilt
from tacit.search.running import Runner
from tacit.search.trained import load_trained
from tacit.search.training import Training
from tacit.signature.outputs import Class
from tests.unit.melding import small


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """Two compiled programs with their training state."""
    programs = [small.perception(tmp_path_factory.mktemp("level")), small.decision(tmp_path_factory.mktemp("rule"))]
    return [(small.compiled(program), program) for program in programs]


@pytest.fixture(scope="module")
def melded(apart):
    return meld(*apart, program=small.joint())


def test_the_whole_is_better_than_the_pipeline_and_the_parts_keep_their_own_goals(melded):
    whole = melded.evidence["meld"]
    assert melded.evidence["scores"]["validation"]["accuracy"] >= whole["joint"]["pipeline"]["validation"]
    assert [part["name"] for part in whole["parts"]] == ["level", "rule"] and not any(part["lifted"] for part in whole["parts"])
    assert all(part["own"]["after"] >= part["own"]["before"] - 0.1 for part in whole["parts"])
    assert whole["own_weight"] in WEIGHTS and len(whole["trials"]) == 2


def test_one_file_holds_the_whole_and_its_parts_and_gives_them_back(melded, apart):
    again = from_bytes(melded.to_bytes())
    assert again == melded and set(again.graphs) == {"main", "level", "rule"} == {"main", *again.signatures}
    parts = split(again)
    arrays = small.pictures([0, 1, 2, 0], 9)
    assert np.array_equal(parts["level"].run([arrays])[0], again.run([arrays], "level")[0])
    assert parts["level"](arrays[0, :, :, 0]) in small.LEVELS
    assert parts["rule"]({"first": "light", "second": "dark"}) in ("go", "stop")
    assert parts["level"].evidence["split"]["before"] == apart[0][0].digest
    assert parts["level"].evidence["scores"]["test"]["accuracy"] == again.evidence["meld"]["parts"][0]["own"]["after"]


def test_weights_that_the_whole_and_a_part_read_are_stored_once(melded):
    stored = sum(array.size for array in melded._parts[0].values())
    main = sum(array.size for array in melded.graphs["main"].weights.values())
    assert main <= stored < 1.2 * main
    assert melded.evidence["meld"]["shared_bytes"] > 3 * main


def test_before_it_is_trained_the_whole_answers_as_the_parts_one_after_the_other_do(apart):
    parts = open_parts(apart, Reporter())
    program = small.joint()
    wiring = fit([part.signature for part in parts], [part.name for part in parts], program.signature)
    network = Melded(parts, wiring, program.signature).eval()
    arrays = program.examples.inputs
    scores = pipeline(network, arrays)
    for sharp in network.adapter(2, 0).softs:
        sharp.log_margin.data.fill_(-14.0)
    with torch.no_grad():
        found = network(*(torch.from_numpy(array).float() for array in arrays)).numpy()
    assert np.abs(found - ended(network, scores)).max() < 1e-4 * np.abs(found).max()


def test_parts_without_a_program_are_lifted_and_it_is_said(apart, tmp_path):
    notes = []

    class Heard(Reporter):
        def note(self, text):
            notes.append(text)

    paths = [binary.save(tmp_path / f"{program.name}.tacit") for binary, program in apart]
    whole = meld(*paths, program=small.joint(steps=4), reporter=Heard())
    assert all(part["lifted"] and part["own"] is None for part in whole.evidence["meld"]["parts"])
    assert sum("its own goal can't be kept" in note for note in notes) == 2
    examples = small.joint().examples
    assert np.isfinite(evaluate(whole.graphs["main"], examples.inputs)[0]).all()


def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_bytes(apart, tmp_path, monkeypatch):
    program = small.joint(steps=12)
    whole = meld(*apart, program=program, own=0.2)
    original, count = Training.step, [0]

    def stops(self):
        count[0] += 1
        if count[0] == 8:
            raise RuntimeError("killed")
        original(self)

    monkeypatch.setattr(Training, "step", stops)
    monkeypatch.setattr(Runner, "_keep_time", Runner.save)
    with pytest.raises(RuntimeError, match="killed"):
        meld(*apart, program=program, own=0.2, run_directory=tmp_path)
    monkeypatch.undo()
    notes = []

    class Heard(Reporter):
        def note(self, text):
            notes.append(text)

    again = meld(*apart, program=program, own=0.2, run_directory=tmp_path, resume=True, reporter=Heard())
    assert any(note.startswith("going on from step") for note in notes)
    assert again.digest == whole.digest and again.to_bytes() == whole.to_bytes()


def test_a_pytorch_module_with_a_signature_is_a_part_too(apart):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(36), torch.nn.Linear(36, 3))
    whole = meld((module, small.PICTURE >> small.LEVEL), apart[1], program=small.joint(steps=40), own=0.5)
    (part, _) = whole.evidence["meld"]["parts"]
    assert part["name"] == "sequential1" and not part["lifted"] and part["own"] is None
    scores = whole.evidence["scores"]["validation"]["accuracy"], whole.evidence["meld"]["joint"]["pipeline"]["validation"]
    assert scores[0] > scores[1]


def test_what_cannot_be_melded_is_refused(apart, melded):
    program = small.joint()
    empty = dataclasses.replace(program, examples=program.examples.take(np.zeros(0, int)))
    with pytest.raises(InputError, match="expected joint examples, got none - at `both`"):
        meld(*apart, program=empty)
    with pytest.raises(InputError, match="is the same program as `level`"):
        meld(apart[0], apart[0], program=program)
    with pytest.raises(InputError, match="several entry points"):
        meld(melded, apart[1], program=program)
    with pytest.raises(InputError, match="a PyTorch module with its signature"):
        meld((apart[0][0], small.PICTURE), apart[1], program=program)
    with pytest.raises(InputError, match="expected at least two programs"):
        meld(apart[0], program=program)
    with pytest.raises(ConfigError, match="mean_absolute_error"):
        meld(*apart, program=program, through="mean_absolute_error")
    with pytest.raises(InputError, match="expected a melded program"):
        split(apart[0][0])
    short = dataclasses.replace(program, budget=dataclasses.replace(program.budget, steps=None, minutes=0.0001))
    with pytest.raises(BudgetError, match="try: --minutes"):
        meld(*apart, program=short)


def test_through_names_the_metric_that_is_trained_for(apart):
    whole = meld(*apart, program=small.joint(steps=3), through="macro_f1", own=0.1)
    assert whole.evidence["meld"]["joint"]["metric"] == "macro_f1"


def test_two_classifiers_of_one_input_share_an_encoder(apart, tmp_path):
    levels = np.arange(120) % 3
    bright = small.program(
        "bright", small.PICTURE >> Class("no", "yes"), [small.pictures(levels, 7)], levels > 1, directory=tmp_path, settings={"width": 8}
    )
    signature = small.PICTURE >> (small.LEVEL * Class("no", "yes"))
    both = small.program("both", signature, [small.pictures(levels, 8)], levels, steps=10)
    targets = np.stack([levels, levels > 1], axis=1).astype(np.float32)
    both = dataclasses.replace(both, examples=dataclasses.replace(both.examples, targets=targets))
    other = small.compiled(bright)
    whole = meld(apart[0], (other, bright), program=both, own=0.5)
    assert whole.evidence["meld"]["encoder"] == ["level", "bright"]
    stored = sum(array.size for array in whole._parts[0].values())
    single = sum(array.size for array in apart[0][0].graphs["main"].weights.values())
    assert stored < 1.1 * single  # two classifiers in the bytes of one
    answer = whole(small.pictures([2], 11)[0, :, :, 0])
    assert set(answer) == {"class1", "class2"}
    parts = split(whole)
    assert set(parts) == {"level", "bright"} and all(isinstance(part, Binary) for part in parts.values())
    assert all(part["own"]["after"] >= part["own"]["before"] - 0.15 for part in whole.evidence["meld"]["parts"])


def test_the_state_that_was_kept_is_preferred_to_the_instructions(apart):
    parts = open_parts(apart, Reporter())
    binary, program = apart[0]
    kept = rebuilt(load_trained(program.directory, binary.digest), program)
    assert sorted(parts[0].network.state_dict()) == sorted(kept.state_dict())
    assert isinstance(
        Melded(
            [Part("level", binary), parts[1]],
            fit([part.signature for part in parts], ["level", "rule"], small.joint().signature),
            small.joint().signature,
        ).networks[0],
        LiftedPart,
    )
