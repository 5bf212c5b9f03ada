from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tacit.ground.errors import MissingPackage
from tacit.ground.tables import missing
from tacit.instruments import doctor
from tacit.instruments.layout import plain


def row(diagnosis: doctor.Diagnosis, what: str) -> doctor.Finding:
    return next(finding for finding in diagnosis.findings if finding.what == what)


def test_a_healthy_installation_passes_and_makes_a_program():
    diagnosis = doctor.check()
    trial = row(diagnosis, "a program made and run")
    assert trial.state == doctor.FOUND and "answers right" in trial.detail, trial
    assert diagnosis.met and "all is well" in plain(diagnosis.parts())
    assert json.loads(json.dumps(diagnosis.to_json()))["met"] is True


def test_without_torch_the_doctor_says_what_to_install(monkeypatch):
    def absent(reference: str) -> object:
        if reference.startswith("tacit.compiler"):
            raise missing("torch")
        return "0.1.0"

    monkeypatch.setattr(doctor, "resolve", absent)
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    diagnosis = doctor.check()
    trial = row(diagnosis, "a program made and run")
    assert trial.state == doctor.MISSING and trial.advice == 'pip install "tacit[train]"'
    assert diagnosis.met, "running binaries needs no torch"


def test_a_compiler_that_learns_nothing_fails(monkeypatch):
    real = doctor.from_bytes

    def spoiled(data: bytes):
        binary = real(data)
        monkeypatch.setattr(type(binary), "evaluate", lambda self, examples: np.zeros((len(examples), 2), np.float32))
        return binary

    monkeypatch.setattr(doctor, "from_bytes", spoiled)
    diagnosis = doctor.check()
    assert row(diagnosis, "a program made and run").state == doctor.FAILED and not diagnosis.met
    assert "something is wrong" in plain(diagnosis.parts())


def test_whatever_goes_wrong_is_named_not_raised(monkeypatch):
    monkeypatch.setattr(doctor, "trial_program", lambda: 1 / 0)
    trial = doctor._trial()
    assert trial.state == doctor.FAILED and "ZeroDivisionError" in trial.detail


def test_missing_packages_and_tools_come_with_advice(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    assert [doctor._tool(name).state for name in doctor.TOOLS] == [doctor.MISSING] * len(doctor.TOOLS)
    assert all(doctor._tool(name).advice for name in doctor.TOOLS)
    gone = doctor._package("no-such-package", "nothing", essential=True)
    assert gone.advice == "pip install no-such-package" and not doctor.Diagnosis((gone,)).met


def test_a_tool_that_does_not_answer_is_named_by_its_path(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "somewhere/cc")
    assert doctor._tool("cc").detail == "somewhere/cc"
    monkeypatch.setattr(doctor.shutil, "which", lambda name: sys.executable)
    assert doctor._tool("cc").detail.startswith("Python 3")


def test_the_trial_is_learnable_and_split():
    program = doctor.trial_program()
    assert {len(program.examples.split(name)) > 50 for name in ("train", "validation", "test")} == {True}
    assert 0.3 < program.examples.targets.mean() < 0.7


def test_a_missing_package_is_an_error_of_its_own():
    with pytest.raises(MissingPackage):
        raise missing("torch")
