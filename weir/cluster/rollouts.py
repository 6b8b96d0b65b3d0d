"""The splits that rollouts own: what the ConfigMaps say in which `weir rollout` keeps how far it is."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import BURST, Kubectl
from weir.model.config.rollout import RECORD_LABEL, record_name

_UNDER_WAY, _NOT = ("step", "held"), ("begun", "aborted", "promoted")


@dataclass(frozen=True, slots=True)
class RolloutSplit:
    """The split of a service while `version` takes over from `stable`: `share` percent are the version's. `control`:
    the version that it is compared with, where that is not the stable one.
    """

    service: str
    version: str
    stable: str
    share: Decimal
    control: str = ""


def records(kubectl: Kubectl, services: Collection[str]) -> list[dict[str, Any]]:
    """The ConfigMaps that there are of the rollouts of these services. Raises ClusterError."""
    if not services:
        return []
    names = {record_name(service) for service in services}
    which = sorted(names) if len(names) <= BURST else ["-l", RECORD_LABEL]
    found = kubectl.get(["configmap", *which, "--ignore-not-found"], missing={})
    items = found.get("items", [found] if found else [])
    return [each for each in items if each["metadata"]["name"] in names]


def splits_of_rollouts(kubectl: Kubectl, services: Collection[str]) -> list[RolloutSplit]:
    """Those of these services of which a rollout is under way and has applied a step. Raises ClusterError, also for a
    state that this weir cannot read.
    """
    found = []
    for each in records(kubectl, services):
        try:
            state = json.loads(each["data"]["state"])
            # One that was held before its first step has applied none.
            if state["phase"] not in _NOT and not (state["phase"] == "held" and state["since"] is None):
                if state["phase"] not in _UNDER_WAY:
                    raise ValueError(state["phase"])
                share = Decimal(str(state["steps"][state["index"]]["share"]))
                service, version, stable = (str(state[key]) for key in ("service", "version", "stable"))
                found.append(RolloutSplit(service, version, stable, share, state.get("control", "")))
        except (KeyError, TypeError, ValueError, ArithmeticError, IndexError) as error:
            name = each["metadata"]["name"]
            raise ClusterError(
                f"ConfigMap {kubectl.namespace}/{name} is no state of a rollout that this weir can read ({error!r}); "
                f"use the weir that wrote it, or, where no rollout is under way: kubectl delete configmap -n "
                f"{kubectl.namespace} {name}"
            ) from None
    return found
