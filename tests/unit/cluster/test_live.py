"""What stands in the cluster is read once for all who ask, and ahead of them where somebody knows that they will."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.live.harness import until
from weir.cluster.kubectl import Kubectl
from weir.cluster.live import live, look_ahead


@dataclass(frozen=True)
class Counting(Kubectl):
    """A cluster with one Deployment, and a Service that was made an hour ago, which counts how often it is read."""

    readings: list[Sequence[str]] = field(default_factory=list, compare=False)

    def get(self, args: Sequence[str], *, timeout: float = 20.0, missing: Any = None) -> Any:
        """Both."""
        self.readings.append(args)
        made = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
        service = {"kind": "Service", "metadata": {"name": "backend", "creationTimestamp": made}}
        return {"items": [{"kind": "Deployment", "metadata": {"name": "backend-v1"}}, service]}


def test_what_was_read_ahead_is_for_one_who_asks() -> None:
    """The first finds it read, whoever asks later reads it anew: a later run of the program is
    about a later cluster.
    """
    kubectl = Counting("kubectl", "demo")
    look_ahead(kubectl)
    first, second = live(kubectl), live(kubectl)
    assert first.find("Deployment", "backend-v1") == second.find("Deployment", "backend-v1") is not None
    assert first.find("Deployment", "other") is None
    assert len(kubectl.readings) == 2


def test_what_was_read_long_ago_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update may have waited for something meanwhile."""
    kubectl = Counting("kubectl", "demo")
    look_ahead(kubectl)
    monkeypatch.setattr("weir.cluster.live._FRESH_SECONDS", -1.0)
    assert live(kubectl).find("Deployment", "backend-v1") is not None
    until(lambda: len(kubectl.readings) == 2, 10, "both have read")


def test_a_service_is_as_old_as_it_can_be() -> None:
    """One that was not there when it was looked for has come since; when it is asked about, that may be a while ago."""
    found = live(Counting("kubectl", "demo"))
    now = datetime.now(UTC).timestamp()
    assert 3600 <= found.age("backend", now) < 3610
    assert 3700 <= found.age("backend", now + 100) < 3710
    first = found.age("other", now)
    assert 0 <= first < found.age("other", now) < 10


def test_another_cluster_or_namespace_is_another_question() -> None:
    """Only the same kubectl, with all that it is told, would have asked the same."""
    look_ahead(Counting("kubectl", "demo", context="one"))
    other = Counting("kubectl", "demo", context="two")
    assert live(other).find("Deployment", "backend-v1") is not None
    assert len(other.readings) == 1
