"""What tests of rollouts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rollout.fake_mesh import KUBECTL
from weir.cluster.kubectl import Kubectl
from weir.rollout import patience, run


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    monkeypatch.setattr(run, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(patience, "_AGAIN_SECONDS", 0.0)
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    return Kubectl(str(tmp_path / "kubectl"), "demo")
