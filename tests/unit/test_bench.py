"""The benchmark measures sound configs, and knows a line from a curve."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from itertools import accumulate
from math import comb
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import pytest

from tests.bench import configs
from tests.bench.analysis import measure as simulation
from tests.bench.analysis import pages
from tests.bench.analysis.draws import Look, binomial
from tests.bench.analysis.rules import MannWhitney, PooledZ, Threshold, higher
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


class Given:
    """A random generator whose next number is known."""

    def __init__(self, number: float) -> None:
        self._number = number

    def random(self) -> float:
        return self._number


@pytest.mark.parametrize(("count", "share"), [(10, Fraction(1, 50)), (60, Fraction(1, 3)), (20, Fraction(9, 10))])
def test_drawn_counts_are_binomial(count: int, share: Fraction) -> None:
    """A uniform number becomes the count at which the exact distribution function comes up to it."""
    weights = [comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)]
    if share > Fraction(1, 2):
        weights.reverse()  # the others are counted
    upto = list(accumulate(weights))
    for number in (0.0, 0.1, 0.37, 0.5, 0.9, 0.9999):
        expected = next(k for k, below in enumerate(upto) if below >= number)
        found = binomial(cast("random.Random", Given(number)), count, float(share))
        assert found == (count - expected if share > Fraction(1, 2) else expected)


def test_the_peers_rules_are_what_they_are_called() -> None:
    """Two failures of 150 are above 1 %, one is not; ranks that are all higher are z = 2.31 for six of twelve, as the
    statistic's mean (18) and variance (39) say; a z-test sees 20 of 1,000 against 10 of 1,000 at 1.84 and not at 2.33.
    """

    def look(at: float, stable: tuple[int, int], canary: tuple[int, int]) -> Look:
        return Look(at, 0, *stable, *canary)

    assert Threshold(1).aborts(look(1, (1350, 3), (150, 2)))
    assert not Threshold(1).aborts(look(1, (1350, 3), (150, 1)))
    assert not Threshold(60).aborts(look(59, (1350, 3), (150, 150)))
    ranks = MannWhitney(60)
    said = [ranks.aborts(look(60 * at, (100, at), (100, at + 20))) for at in range(1, 9)]
    assert said == [False] * 7 + [True]
    assert higher([7, 8, 9, 10, 11, 12], [1, 2, 3, 4, 5, 6]) == pytest.approx(18 / 39**0.5)
    assert not PooledZ().aborts(look(1, (1000, 10), (1000, 20)))
    assert PooledZ().aborts(look(1, (1000, 10), (1000, 24)))


def test_the_simulation_can_be_had_again_and_shown() -> None:
    """The same seed gives the same figures, whichever process has which rollout; each row stands in the table, and each
    rule in the plot.
    """
    report = simulation.measure(7, 4, processes=2)
    again = [simulation.no_difference(random.Random(f"7/no difference/{number}")) for number in range(4)]
    for rule, found in report["noDifference"]["rules"].items():
        assert found["aborted"] == sum(each[rule] is not None for each in again)
    table = pages.table(report)
    for row in (*report["detection"], *report["latency"], *report["proof"], report["falseProof"]):
        assert row["case"] in table
    shown = "".join(ElementTree.fromstring(pages.plot(report["noDifference"])).itertext())
    assert all(rule in shown for rule in report["noDifference"]["rules"])
