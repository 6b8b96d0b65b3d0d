"""Every rule there is."""

from __future__ import annotations

from policy import faults, hosts, images, pods, promotions, replicas, retries, routes, steps
from policy.rule import Rule, StackRule

RULES: tuple[Rule, ...] = (
    routes.READABLE,
    faults.ENDLESS,
    faults.OVER,
    steps.STEP,
    promotions.BY_ROLLOUT,
    retries.SOUND,
    images.PINNED,
    hosts.NAMED,
    pods.RESTRICTED,
)
"""Those about a single resource."""

STACK_RULES: tuple[StackRule, ...] = (replicas.ENOUGH, steps.COMPARED)
"""Those about all resources of a stack together."""
