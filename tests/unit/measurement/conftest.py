"""Fixtures of the traffic tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from .fake_cluster import FakeCluster


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A fake cluster whose kubectl is the one on PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    fake = FakeCluster(directory)
    monkeypatch.delenv("WEIR_TOOL_KUBECTL", raising=False)
    monkeypatch.setenv("PATH", str(directory))
    return fake
