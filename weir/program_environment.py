"""Environment variables by which weir tells the program of a stack what the stack file does not say."""

from __future__ import annotations

import os
from collections.abc import Mapping

STACK_FILE = "WEIR_STACK_FILE"
"""The stack file, where an update has another one than Pulumi.STACK.yaml (`pulumi up --config-file`)."""

TAKE_BACK = "WEIR_TAKE_BACK"
"""The VirtualServices that are written over what somebody has edited by hand; a JSON list of names."""

ROUTES_ALONE = "WEIR_ROUTES_ALONE"
"""The VirtualServices, of services and of hosts at gateways, that alone change, and that are all there is to register
with what depends on them; a JSON list of names.
"""

FOLLOWED = "WEIR_FOLLOWED"
"""The file in which the program writes down how many proxies have acknowledged the changed route of each service:
JSON, by the service's full name, or the name of a host's VirtualService.
"""

WARNED = "WEIR_WARNED"
"""Set where the warnings about the config have been said."""

NOT_BEFORE = "WEIR_NOT_BEFORE"
"""The moment before which no rule is written, in seconds of the epoch; what comes before that is done ahead of it."""

ROLLED_OUT = "WEIR_ROLLED_OUT"
"""The versions that a rollout steers in this update, JSON, a list by service: the policy pack lets them take over
(docs/reference/policy.md, promotion-by-rollout).
"""

_given: Mapping[str, str] = {}


def give(variables: Mapping[str, str]) -> None:
    """Have the program of this process find these, and none that was given before, ahead of what its environment says.

    That itself must not change while threads of this process start others: execv reads it while setenv moves it, and
    fails with "Bad address" (EFAULT).
    """
    global _given
    _given = dict(variables)


def variable(name: str) -> str:
    """What the program was given, or else what its environment says; empty where there is none."""
    return _given.get(name, os.environ.get(name, ""))
