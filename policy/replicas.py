"""What gets much traffic has more than one pod: a single one takes its share of the requests with it when it goes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from policy.known import mapping
from policy.requests import NARROW_HEADERS
from policy.routes import service, wide_shares
from policy.rule import PRODUCTION, VIRTUAL_SERVICE, Option, Resource, Settings, StackRule
from policy.workload import count, identity, pods
from weir.model.manifests.hosts import of_host
from weir.model.routing.resolve import DEFAULT_ROUTE
from weir.model.routing.words import percent

OVER_PERCENT = Option(
    20, "above which share of a route a version needs them", {"type": "number", "minimum": 0, "maximum": 100}
)
MIN_REPLICAS = Option(2, "how many pods such a version needs", {"type": "integer", "minimum": 1})


def too_few(resources: Sequence[Resource], over: float, least: int, headers: Sequence[str]) -> list[str]:
    """A message for each version that gets more than `over` percent of a route that may take many requests, and has
    less than `least` pods.

    Versions whose pods are not in the stack, or not counted there, are passed over.
    """
    counts: dict[tuple[str, str], list[Any]] = {}
    for resource in resources:
        if pods(resource.props):
            counts.setdefault(identity(resource.props), []).append(count(resource.props))
    for resource in resources:
        # The least that an autoscaler of weir's keeps stands for the number that its Deployment does not say.
        if resource.kind.endswith("/HorizontalPodAutoscaler"):
            counts[identity(resource.props)] = [mapping(resource.props.get("spec")).get("minReplicas", 1)]
    found = []
    for resource in resources:
        # A host at gateways has the shares of its services, which are judged by themselves.
        if resource.kind != VIRTUAL_SERVICE or of_host(mapping(resource.props.get("spec"))):
            continue
        name = service(resource.props)
        for version, (share, route) in wide_shares(resource.props, headers).items():
            each = counts.get((name, version), [None])
            if all(isinstance(number, int) for number in each) and sum(each) < least and share > Fraction(str(over)):
                where = "" if route.name == DEFAULT_ROUTE else f" of route {route.name}"
                found.append(
                    f"{name}: {version} gets {percent(share)} of the requests{where} and has replicas: {sum(each)}; "
                    f"above {over} % it needs at least"
                    f" {least}: raise replicas, or send it less"
                )
    return found


def _judge(resources: Sequence[Resource], settings: Settings, _stack: str) -> list[str]:
    return too_few(resources, settings["overPercent"], settings["minReplicas"], settings["narrowHeaders"])


ENOUGH = StackRule(
    name="replicas-for-share",
    description="A version that gets much of the traffic in production has more than one pod.",
    stacks=PRODUCTION,
    options={"overPercent": OVER_PERCENT, "minReplicas": MIN_REPLICAS, "narrowHeaders": NARROW_HEADERS},
    judge=_judge,
)
