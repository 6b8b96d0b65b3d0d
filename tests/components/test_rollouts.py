"""While a rollout is under way it owns the split, whatever the config of an update says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import rollouts
from components.rollouts import with_rollouts
from tests.unit.model.test_config import SOUND
from weir.model import load
from weir.rollout.state import State, Step, as_json

STATE = State(
    "backend", "v2", "v1", (Step(Decimal("12.5"), 60), Step(Decimal(50), 60)), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC), phase="step", since=datetime(2026, 11, 27, 12, tzinfo=UTC),
)  # fmt: skip


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(rollouts, "warn", told.append)
    return told


def there(directory: Path, patch: pytest.MonkeyPatch, state: State | None, answer: str = "") -> None:
    """A kubectl that has this state, as `weir rollout` keeps it; `answer` in place of that."""
    item = (
        {"metadata": {"name": "weir-rollout-backend"}, "data": {"state": json.dumps(as_json(state))}} if state else {}
    )
    (directory / "answer.json").write_text(answer or (json.dumps(item) if item else ""))
    script = directory / "kubectl"
    script.write_text(f"#!/bin/sh\ncat {directory}/answer.json\n")
    script.chmod(0o755)
    patch.setenv("WEIR_TOOL_KUBECTL", str(script))


def split(**keys: Any) -> tuple[str, dict[str, Decimal]]:
    """The split of a config with these keys, as the update has it."""
    backend = {**SOUND["services"]["backend"], "stable": "v1", "canary": {"v2": 5}, **keys}
    service = with_rollouts(load({**SOUND, "services": {"backend": backend}})).services["backend"]
    return service.stable, dict(service.canary)


def test_the_step_of_a_rollout_is_the_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warned: list[str]) -> None:
    """Also where the file has promoted it already; and it is said, unless the file has the step."""
    there(tmp_path, monkeypatch, STATE)
    assert split() == ("v1", {"v2": Decimal("12.5")})
    assert split(stable="v2", canary={"v1": 0}) == ("v1", {"v2": Decimal("12.5")})
    assert len(warned) == 2
    assert "backend: a rollout of v2 is under way and owns the split: it stays at v2 12.5 %" in warned[0]
    assert split(canary={"v2": 12.5}) == ("v1", {"v2": Decimal("12.5")})
    assert len(warned) == 2


@pytest.mark.parametrize("phase", ["begun", "promoted", "aborted"])
def test_one_that_is_over_or_has_not_begun_owns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warned: list[str], phase: Any
) -> None:
    """The config says it."""
    there(tmp_path, monkeypatch, replace(STATE, phase=phase))
    assert split() == ("v1", {"v2": Decimal(5)})
    there(tmp_path, monkeypatch, None)
    assert split() == ("v1", {"v2": Decimal(5)})
    there(tmp_path, monkeypatch, replace(STATE, phase="held", since=None))
    assert split() == ("v1", {"v2": Decimal(5)})
    assert warned == []


def test_a_version_of_a_rollout_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    """The update is refused, with the way out."""
    there(tmp_path, monkeypatch, STATE)
    with pytest.raises(pulumi.RunError, match=r"no longer has v2\. Nothing was changed\. .* weir abort backend"):
        split(versions={"v1": {}}, canary={})


def test_no_version_gets_less_than_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warned: list[str]) -> None:
    """The rollout's share and those of other versions, which the config may have raised meanwhile, are at most 100 %."""
    versions: dict[str, Any] = {"v1": {}, "v2": {}, "v3": {}}
    there(tmp_path, monkeypatch, replace(STATE, index=1))
    assert split(versions=versions, canary={"v3": 50}) == ("v1", {"v3": Decimal(50), "v2": Decimal(50)})
    with pytest.raises(pulumi.RunError) as caught:
        split(versions=versions, canary={"v3": 60})
    assert str(caught.value) == (
        "backend: a rollout of v2 is under way and owns the split: v2 is at 50 %, and with the config's v3 60 % that is "
        "more than 100 %. Nothing was changed. Lower the others until the rollout is over, or end it: weir abort backend"
    )


DENIED = 'Error from server (Forbidden): configmaps "weir-rollout-backend" is forbidden: User "ci" cannot get resource'
BROKEN = '{"metadata": {"name": "weir-rollout-backend"}, "data": {"state": "{}"}}'


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"echo '{DENIED}' >&2; exit 1", "denies access.*; weir rbac prints the rights"),
        ("echo 'Unable to connect to the server: dial tcp: i/o timeout' >&2; exit 1", "does not answer"),
        (f"echo '{BROKEN}'", "ConfigMap demo/weir-rollout-backend is no state of a rollout that this weir can read"),
    ],
)
def test_nothing_is_applied_where_nobody_knows_of_rollouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warned: list[str], script: str, said: str
) -> None:
    """The file's split might promote a version that a rollout has just begun with. A preview applies nothing."""
    (tmp_path / "kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", str(tmp_path / "kubectl"))
    with pytest.raises(pulumi.RunError, match=f"owns its split, so nothing was changed: .*{said}"):
        split()
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert split() == ("v1", {"v2": Decimal(5)})
    assert warned == []


def test_without_kubectl_an_update_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    """As with all that the cluster is asked about; a preview may have none."""
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", str(tmp_path / "none"))
    assert split() == ("v1", {"v2": Decimal(5)})
    assert len(warned) == 1
    assert "so the config's splits are applied: WEIR_TOOL_KUBECTL names" in warned[0]
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert split() == ("v1", {"v2": Decimal(5)})
    assert len(warned) == 1


def test_the_control_stays_in_an_update_from_a_file_that_lacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    """As a copy of the stable version of that file, with the share that it has; after the end it is the file's."""
    there(tmp_path, monkeypatch, replace(STATE, control="v1-control"))
    assert split() == ("v1", {"v2": Decimal("12.5"), "v1-control": Decimal("12.5")})
    backend = {**SOUND["services"]["backend"], "stable": "v1", "canary": {"v2": 5}}
    found = with_rollouts(load({**SOUND, "services": {"backend": backend}})).services["backend"]
    assert found.workload("v1-control") == found.workload("v1")
    assert len(warned) == 2
    versions = {**SOUND["services"]["backend"]["versions"], "v1-control": {}}
    canary = {"v2": 12.5, "v1-control": 12.5}
    assert split(versions=versions, canary=canary) == ("v1", {"v2": Decimal("12.5"), "v1-control": Decimal("12.5")})
    assert len(warned) == 2
    there(tmp_path, monkeypatch, replace(STATE, control="v1-control", phase="aborted"))
    assert split() == ("v1", {"v2": Decimal(5)})
