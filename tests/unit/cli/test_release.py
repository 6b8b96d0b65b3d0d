"""Which changes need no preview of their own: those of shares between versions that got requests before, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.model.test_rules import backend
from weir.cli.release import weights_alone
from weir.model import ServiceTraffic, load, traffic

BETA: dict[str, Any] = {"name": "beta", "match": [{"uri": {"prefix": "/beta"}}], "canary": {"v2": 10}}


def of(**keys: Any) -> ServiceTraffic:
    return traffic(load(backend(**keys)).services["backend"], "demo")


@pytest.mark.parametrize(
    ("before", "after", "alone"),
    [
        ({"canary": {"v2": 20}}, {"canary": {"v2": 50}}, True),
        ({"canary": {"v2": 20}}, {"canary": {"v2": 0.5}}, True),
        ({"canary": {"v2": 20}, "routes": [BETA]}, {"canary": {"v2": 30}, "routes": [BETA]}, True),
        ({"canary": {"v2": 0}}, {"canary": {"v2": 50}}, False),
        ({"canary": {"v2": 50}}, {"canary": {"v2": 0}}, False),
        ({"canary": {"v2": 50}}, {"stable": "v2"}, False),
        ({"canary": {"v2": 20}}, {"canary": {"v2": 50}, "timeout": "5s"}, False),
        ({"canary": {"v2": 20}}, {"canary": {"v2": 50}, "routes": [BETA]}, False),
        ({"canary": {"v2": 20}}, {"canary": {"v2": 50}, "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}, False),
    ],
    ids=str,
)
def test_shares_alone_need_no_preview(before: dict[str, Any], after: dict[str, Any], alone: bool) -> None:
    """A version that begins or ceases to get requests, or any other setting, is previewed, where refusals are heard."""
    assert weights_alone(of(**before), of(**after)) is alone
