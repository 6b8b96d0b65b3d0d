"""`weir rollout --once`: on a schedule nobody looks, so that each rollout gets its turn, and what is no failure is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.test_commands import refused, weir
from weir.cli.context import Context
from weir.cli.rollout_due import AnotherGoesOnError, go_on_where_due
from weir.errors import VerdictError, WeirError
from weir.rollout.record import AnotherWroteError
from weir.rollout.state import Phase, State, Step, as_json

SERVICE = {"image": "app:1", "port": 80, "versions": {"v1": {}, "v2": {}}, "stable": "v1"}
STATE = State(
    "backend", "v2", "v1", (Step(Decimal(5), 0.0),), "weir rollout backend v2", "ann@host",
    datetime(2026, 11, 27, 12, tzinfo=UTC),
)  # fmt: skip
# What of the ConfigMaps that are asked for is there; the answer to one name is no list, as kubectl has it.
KUBECTL = """#!/bin/sh
cat "$(dirname "$0")/there.json"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    config = {"weir:namespace": "demo", "weir:services": {"backend": SERVICE, "cart": SERVICE, "web": SERVICE}}
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(json.dumps({"config": config}))
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", str(tmp_path / "kubectl"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def there(
    project: Path, together: tuple[str, ...] = (), retire: datetime | None = None, **phases: Phase | None
) -> None:
    """These services have had a rollout, which is in this phase; None: its state is of another weir."""
    of = replace(STATE, together=together, retire=retire)
    items = [
        {
            "metadata": {"name": f"weir-rollout-{service}", "resourceVersion": "1"},
            "data": {"state": json.dumps(as_json(replace(of, service=service, phase=phase))) if phase else "[]"},
        }
        for service, phase in phases.items()
    ]
    answer = items[0] if len(items) == 1 else {"kind": "List", "items": items}
    (project / "there.json").write_text(json.dumps(answer) if items else "")


def gone_on(service: str | None = None, ends: Mapping[str, WeirError] | None = None) -> list[str]:
    """Those that get a turn; `ends`: what a turn ends with."""
    found: list[str] = []

    def go_on(name: str) -> None:
        found.append(name)
        if ends and name in ends:
            raise ends[name]

    try:
        go_on_where_due(Context("dev"), [service] if service else [], go_on)
    except WeirError as error:
        found.append(f"{error.exit_code}: {error}")
    return found


def test_each_rollout_that_is_under_way_gets_its_turn(project: Path) -> None:
    """And none that is over."""
    there(project, backend="step", cart="promoted", web="held")
    assert gone_on() == ["backend", "web"]


@pytest.mark.parametrize("service", [None, "backend"])
def test_where_nothing_is_under_way_nothing_is_wrong(
    project: Path, service: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A schedule runs whether there is a rollout or not."""
    there(project)
    assert gone_on(service) == []
    of = "of backend " if service else ""
    assert capsys.readouterr().err == f"nothing is due: no rollout {of}is under way in stack dev\n"
    there(project, backend="aborted")
    assert gone_on(service) == []


def test_a_version_that_is_due_to_be_retired_gets_a_turn(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one that is kept for longer it is said when, and that nothing is under way is not."""
    now = datetime.now(UTC)
    there(project, retire=now + timedelta(minutes=30, seconds=30), backend="promoted")
    assert gone_on() == []
    assert capsys.readouterr().err == "backend: v1 is retired in 30 min\n"
    there(project, retire=now - timedelta(seconds=1), backend="promoted", cart="promoted")
    assert gone_on() == ["backend", "cart"]
    assert capsys.readouterr().err == ""


def test_a_failure_keeps_no_other_from_its_turn(project: Path) -> None:
    """It is told at the end: of one as it is, of several what could not be done before what was decided."""
    there(project, backend="step", cart="step", web="step")
    no, lost = VerdictError("backend was taken back"), WeirError("web: no answer")
    assert gone_on(ends={"backend": no}) == ["backend", "cart", "web", "3: backend was taken back"]
    assert gone_on(ends={"backend": no, "cart": no})[-1] == "3: backend was taken back\nbackend was taken back"
    assert gone_on(ends={"backend": no, "web": lost})[-1] == "1: backend was taken back\nweb: no answer"


@pytest.mark.parametrize("error", [AnotherGoesOnError("at it"), AnotherWroteError("at it")])
def test_a_rollout_that_another_process_is_at_is_left_to_it(
    project: Path, error: WeirError, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and no failure."""
    there(project, backend="step")
    assert gone_on("backend", {"backend": error}) == ["backend"]
    assert capsys.readouterr().err == "at it\n"


def test_a_state_that_cannot_be_read_is_told(project: Path) -> None:
    """And the others get their turn."""
    there(project, backend=None, cart="step")
    name, said = gone_on()
    assert (name, said.partition(" (")[0]) == (
        "cart",
        "1: ConfigMap demo/weir-rollout-backend is no state of a rollout that this weir can read",
    )


def test_a_service_that_is_none_is_refused(project: Path) -> None:
    """A schedule with a typo would otherwise never do anything."""
    said: Any = refused(weir("rollout", "bakend", "--once", cwd=project))
    assert said.startswith("bakend is not a service of this stack")


@pytest.mark.parametrize("arguments", [[], ["--once", "--continue"]])
def test_what_is_about_one_rollout_names_its_service(project: Path, arguments: list[str]) -> None:
    """A gate of one service is not to be opened with those of all others."""
    said: Any = refused(weir("rollout", *arguments, cwd=project))
    assert said.startswith("name the service: weir rollout SERVICE VERSION")


def test_services_that_go_as_one_have_one_turn(project: Path) -> None:
    """With the first of them."""
    there(project, ("backend", "cart"), backend="step", cart="step", web="step")
    assert gone_on() == ["backend", "web"]
