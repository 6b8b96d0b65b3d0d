"""Each warning is given where it should be and not where things are nearly so: samples/warnings.yaml is the table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.model.test_bad_configs import sound
from weir.model import WARNINGS, load, warnings
from weir.stack import yaml_reader

SAMPLES: dict[str, list[dict[str, Any]]] = yaml_reader.load(
    (Path(__file__).parent / "samples" / "warnings.yaml").read_text()
)
EACH = pytest.mark.parametrize(
    ("name", "case"),
    [pytest.param(name, case, id=f"{name}: {case['what']}") for name, cases in SAMPLES.items() for case in cases],
)


def given(entry: dict[str, Any]) -> list[str]:
    """Every warning of a sound config with what the entry puts into it; `BODY5` in a text stands for five letters."""
    config = sound(_filled(entry))
    config["services"] |= entry.get("more", {})
    if "second" in entry:
        config["gateways"]["second"] = {**config["gateways"]["public"], "servers": entry["second"]}
    return [str(warning) for warning in warnings(load(config))]


def _filled(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _filled(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_filled(value) for value in tree]
    body = re.fullmatch(r"BODY([0-9]+)", tree) if isinstance(tree, str) else None
    return "x" * int(body[1]) if body else tree


@EACH
def test_a_warning_says_where_and_what(name: str, case: dict[str, Any]) -> None:
    """The config gets these lines with the warning's name behind them, and no other warning."""
    assert given(case["given"]) == [f"{line} ({name})" for line in case["says"].splitlines()]


@EACH
def test_what_is_nearly_the_same_gets_no_warning(name: str, case: dict[str, Any]) -> None:
    """Whoever corrects the config is heard: the warning is gone, and no other comes."""
    assert given(case["near"]) == []


def test_every_warning_is_in_the_table() -> None:
    """A warning without a case, or a case of no warning, is found here."""
    assert set(SAMPLES) == set(WARNINGS)
    assert all(SAMPLES.values())


def test_a_config_of_good_sense_has_no_warnings() -> None:
    """Routes, canary, retries within their timeout and limits together are nothing to warn of."""
    policy = {"outlierDetection": {"consecutive5xxErrors": 5}, "connectionPool": {"tcp": {"maxConnections": 100}}}
    route = {"name": "beta", "match": [{"headers": {"x-user": {"exact": "beta"}}}], "stable": "v2"}
    service = {
        "canary": {"v2": 20},
        "timeout": "10s",
        "retries": {"attempts": 3, "perTryTimeout": "2s"},
        "trafficPolicy": policy,
        "routes": [route],
    }
    assert given({"service": service}) == []


def test_warnings_come_in_the_order_of_the_services() -> None:
    """The first service's before the second's, so that two runs print the same."""
    other = {"image": "app:1", "versions": {"v1": {}, "v2": {}}, "stable": "v1"}
    assert [line.split(":")[1] for line in given({"more": {"other": other}})] == [
        "services.backend.versions.v2",
        "services.other.versions.v2",
    ]
