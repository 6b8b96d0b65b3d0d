"""What is known of a service: its config, the cluster, and what callers see. `weir status` finds it out, its view
shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from weir.measurement.observed import Observation
from weir.model.config.actions import Fault
from weir.model.routing.diff import TrafficChange
from weir.rollout.state import State


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version.

    `configured`, `live`: percent of the default route in the config and in the cluster; None where it is not named
    there. `ready`, `desired`: pods; None where there is no Deployment. `failure`: why pods that were made for it last
    do not become ready; empty where all are ready. `elsewhere`: the host and port that it is; empty for pods.
    """

    name: str
    configured: Fraction | None
    live: Fraction | None
    ready: int | None
    desired: int | None
    failure: str = ""
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service.

    `faults`: by route, as they stand in the cluster.
    `drift`: every difference between the cluster and the config; None where the service is not in the cluster.
    `observed`: None where no caller was asked.
    `rollout`: the last one, as far as it is worth saying.
    """

    name: str
    versions: tuple[VersionStatus, ...]
    faults: Mapping[str, Fault]
    drift: tuple[TrafficChange, ...] | None
    observed: Observation | None = None
    rollout: State | None = None


def worth_saying(rollout: State | None, versions: Sequence[VersionStatus]) -> State | None:
    """The rollout that is under way, of which a version is still to be retired, or whose version was taken back, and is
    there without requests since then.
    """
    if rollout is None or not rollout.over or rollout.retire:
        return rollout
    back = rollout.phase == "aborted" and any(each.name == rollout.version and not each.configured for each in versions)
    return rollout if back else None
