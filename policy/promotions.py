"""In production a version takes over by a rollout: somebody, or something, has looked at what its requests got."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from policy.known import Props
from policy.last import Last, last
from policy.routes import owner, parts, routed, service
from policy.rule import PRODUCTION, VIRTUAL_SERVICE, Rule, Settings
from weir.model import RouteTraffic
from weir.model.routing.diff import percents
from weir.program_environment import ROLLED_OUT, variable


def unproven(props: Props, before: Last, rolled: Mapping[str, Collection[str]], stack: str) -> list[str]:
    """A message for each version that takes over the default route of a service, and that no rollout steers in this
    update.

    It takes over where it becomes the stable version, or gets all requests. The version that was stable may take all
    back: that is an abort. A service that the stack did not have has nothing to be taken over. `rolled`: the versions
    that rollouts steer, by service.
    """
    found = []
    for host, new in parts(props).items():
        old = before.routes.get(host, ())
        name = host.rpartition("/")[2].partition(".")[0]
        # Without weights no version gets the requests: proxies answer them.
        if not (old and new and old[-1].weights):
            continue
        stable = next(iter(old[-1].weights))
        for version in _heads(new[-1]):
            if version not in (stable, *_heads(old[-1]), *rolled.get(name, ())):
                found.append(
                    f"{service(props)}: {version} would take over from {stable}, and no rollout has shown that it is "
                    f"no worse: leave {stable} stable, then weir rollout {name} {version} --stack {stack}"
                )
    return found


def _heads(route: RouteTraffic) -> list[str]:
    """The stable version of a route, which is written first, and one that gets all requests in its place."""
    shares = percents(route.weights)
    return [version for place, version in enumerate(shares) if place == 0 or shares[version] == 100]


def _rolled() -> Mapping[str, Collection[str]]:
    """What `weir rollout` has given the update. Nothing else sets it, so that what cannot be read counts as nothing."""
    try:
        found = json.loads(variable(ROLLED_OUT) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _judge(props: Props, _settings: Settings, stack: str) -> list[str]:
    return unproven(props, last(owner(props, stack)), _rolled(), stack) if routed(props) else []


BY_ROLLOUT = Rule(
    name="promotion-by-rollout",
    description="In production a version takes over by a rollout; taking one back is always allowed.",
    kinds=(VIRTUAL_SERVICE,),
    stacks=PRODUCTION,
    judge=_judge,
)
