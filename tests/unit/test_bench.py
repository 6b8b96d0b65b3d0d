"""The benchmark measures sound configs, and knows a line from a curve."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import configs
from tests.bench.growth import growth
from tests.bench.processes import BenchError, Cost, cost
from tests.bench.spans import phases
from weir.model import ConfigError, load, warnings
from weir.stack import stackfile


def test_its_configs_are_sound(tmp_path: Path) -> None:
    """Every feature is in them, and there is nothing to refuse or to warn of; the bad file has one mistake."""
    config = load(stackfile.read(configs.write(21, tmp_path / "good.yaml")).config)
    assert len(config.services) == 21
    assert {len(service.versions) for service in config.services.values()} == {configs.VERSIONS}
    assert warnings(config) == ()
    assert any(
        service.routes and service.expose and service.traffic_policy and service.resources
        for service in config.services.values()
    )
    with pytest.raises(ConfigError) as refused:
        load(stackfile.read(configs.write(21, tmp_path / "bad.yaml", mistake=True)).config)
    assert len(refused.value.problems) == 1


@pytest.mark.parametrize(("exponent", "linear"), [(0.9, True), (1, True), (1.1, True), (1.5, False), (2, False)])
def test_a_line_is_told_from_a_curve(exponent: float, linear: bool) -> None:
    """Start-up aside, twice the services may take a little more than twice the time, and not four times."""
    costs = {size: Cost(9, 0.4 + 0.001 * size**exponent, 50) for size in (1, 10, 50, 200, 1000)}
    assert growth(costs)["linear"] is linear


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    """Its exit code and what it said are the error."""
    with pytest.raises(BenchError, match="ended with 3 and not 0:\nbroken"):
        cost(["sh", "-c", "echo broken; exit 3"], tmp_path / "out")
    assert cost(["sh", "-c", "exit 2"], tmp_path / "out", exit_code=2).mebibytes > 0


def spans(base: int, *, written: bool = True) -> list[dict[str, str]]:
    """An update in a trace as pulumi writes it, begun at `base` milliseconds."""
    last = [("ResourceProvider/Update", 600, 650)] if written else []
    parts = [
        ("pulumi", 0, 700),
        ("pulumirpc.LanguageRuntime/About", 10, 11),
        ("pulumi-plan", 210, 690),
        ("pulumirpc.LanguageRuntime/Run", 220, 660),
        ("pulumirpc.ResourceMonitor/RegisterResource", 250, 252),
        ("pulumirpc.ResourceMonitor/RegisterResource", 500, 650),
        ("pulumirpc.ResourceProvider/Configure", 260, 280),
        *((f"pulumirpc.{name}", start, end) for name, start, end in last),
    ]
    return [
        {"name": name, "startTimeUnixNano": str((base + start) * 10**6), "endTimeUnixNano": str((base + end) * 10**6)}
        for name, start, end in parts
    ]


def test_the_phases_of_an_update_are_those_of_the_last_one(tmp_path: Path) -> None:
    """One after the other and nothing between, in seconds; an update that wrote nothing is none to speak of."""
    trace = tmp_path / "trace.json"

    def write(*updates: list[dict[str, str]]) -> None:
        lines = [json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": each}]}]}) for each in updates]
        trace.write_text("\n".join(lines))

    write(spans(5000), spans(1000, written=False))
    found = phases(trace)
    assert found == {
        "start": 0.01,
        "passphrase": 0.2,
        "plan": 0.01,
        "program": 0.03,
        "provider": 0.03,
        "resources": 0.32,
        "write": 0.05,
        "end": 0.05,
    }
    assert sum(found.values()) == pytest.approx(0.7)
    write(spans(1000), spans(5000, written=False))
    with pytest.raises(BenchError, match=r"has no pulumirpc\.ResourceProvider/Update"):
        phases(trace)
