"""The routes that the stack last wrote, asked of Pulumi's state.

Not its outputs: an update that was refused, or that failed half-way, has written those already, and the next one would
have no step to take.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from policy.known import listed, mapping
from policy.routes import parts
from policy.rule import VIRTUAL_SERVICE, kind_of
from weir.model import RouteTraffic
from weir.model.routing.resolve import DEFAULT_ROUTE

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Last:
    """The routes of each service, by its host (`policy.routes.parts`), as they were last written; none for a stack
    that was never up. Where the state cannot be read, why.
    """

    routes: Mapping[str, tuple[RouteTraffic, ...]] = field(default_factory=dict)
    unreadable: str = ""


@cache
def last(stack: str) -> Last:
    """The last routes of the stack, as `pulumi --stack` names it; asked once, which is before the update writes the
    first new one.
    """
    command = ["pulumi", "stack", "export", "--stack", stack]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except OSError as error:
        return Last(unreadable=f"pulumi cannot be run: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Last(unreadable=f"pulumi stack export gave no answer within {_SECONDS} s")
    if done.returncode:
        said = done.stderr.strip().splitlines()
        reason = (
            said[-1].removeprefix("error: ") if said else f"pulumi stack export ended with exit code {done.returncode}"
        )
        return Last(unreadable=reason)
    return parse(done.stdout)


def parse(text: str) -> Last:
    """Read what `pulumi stack export` printed: of each VirtualService what was written, and not what the cluster made
    of it since.
    """
    try:
        deployment = json.loads(text)["deployment"]
    except (ValueError, KeyError, TypeError):
        return Last(unreadable="pulumi stack export printed no state")
    found: dict[str, tuple[RouteTraffic, ...]] = {}
    for resource in map(mapping, listed(mapping(deployment).get("resources"))):
        # What is to be deleted still stands in the state when its deletion failed.
        if kind_of(str(resource.get("type"))) == VIRTUAL_SERVICE and not resource.get("delete"):
            props = mapping(resource.get("inputs"))
            # Of what nobody can read, no version is known to have got anything.
            found |= {key: part or (RouteTraffic(DEFAULT_ROUTE),) for key, part in parts(props).items()}
    return Last(found)
