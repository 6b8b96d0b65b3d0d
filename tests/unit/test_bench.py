"""The benchmark measures sound configs, and knows a line from a curve."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import configs
from tests.bench.growth import growth
from tests.bench.processes import BenchError, Cost, cost
from weir import stackfile
from weir.model import ConfigError, load, warnings


def test_its_configs_are_sound(tmp_path: Path) -> None:
    """Every feature is in them, and there is nothing to refuse or to warn of; the bad file has one mistake."""
    config = load(stackfile.read(configs.write(21, tmp_path / "good.yaml")).config)
    assert len(config.services) == 21
    assert {len(service.versions) for service in config.services.values()} == {configs.VERSIONS}
    assert warnings(config) == ()
    assert any(service.routes and service.expose and service.traffic_policy and service.resources for service in config.services.values())
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
