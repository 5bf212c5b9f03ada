"""Repositories whose program directory is the root, and a folder with an awkward name within a larger one."""

from __future__ import annotations

import pytest

from tests.unit.history.repositories import ENVIRONMENT, Made, with_labels


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch):
    """The person's own settings of git must not decide a test."""
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)


@pytest.fixture(params=["", "some folder/prögram"], ids=["root", "folder"])
def made(request, tmp_path) -> Made:
    return with_labels(tmp_path / "repository", request.param)


@pytest.fixture
def plain(tmp_path) -> Made:
    return with_labels(tmp_path / "repository")
