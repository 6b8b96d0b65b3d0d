"""What `weir diff` says of services that run already, by the config that `weir adopt` makes of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tests.unit.recorded import Recorded, recorded
from weir.cli.context import Context
from weir.cli.taken_over import taken_over
from weir.cluster.found import found
from weir.engine.preview import Preview
from weir.model import load
from weir.model.adopted import adopted
from weir.model.routing.diff import TrafficChange
from weir.model.routing.words import describe

NEW = Preview({"podinfo": (TrafficChange("service", "podinfo", after={}),)}, {})


def told(config: dict[str, Any]) -> list[str]:
    """The lines for what Flagger has made, with this config of it."""
    cluster = Recorded("kubectl", "test", items=recorded("flagger"))
    raw = {"namespace": "test", "createNamespace": False, "services": {"podinfo": config}}
    context = cast(Context, SimpleNamespace(kubectl=cluster, config=load(raw)))
    return [describe(change) for change in taken_over(context, NEW).services["podinfo"]]


def test_other_services_are_taken_over_without_a_change() -> None:
    """And a change of the config beside it is told."""
    there = found(Recorded("kubectl", "test", items=recorded("flagger")), ["podinfo"], "cluster.local")
    config = dict(adopted(there, "podinfo").config)
    assert told(config) == ["taken over as it runs: traffic does not change"]
    assert told({**config, "canary": {"canary": 20}}) == [
        "taken over as it runs",
        "canary 10 % → 20 % (primary 90 % → 80 %)",
    ]
