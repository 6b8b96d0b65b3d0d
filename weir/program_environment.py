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

HELD = "WEIR_HELD"
"""Set where no rule is to be written before it is known whether it may be (`may_write`); all else is done ahead."""

ROLLED_OUT = "WEIR_ROLLED_OUT"
"""The versions that a rollout steers in this update, JSON, a list by service: the policy pack lets them take over
(docs/reference/policy.md, promotion-by-rollout).
"""

_given: Mapping[str, str] = {}
_may: bool | None = None


def give(variables: Mapping[str, str]) -> None:
    """Have the program of this process find these, and none that was given before, ahead of what its environment says.

    That itself must not change while threads of this process start others: execv reads it while setenv moves it, and
    fails with "Bad address" (EFAULT).
    """
    global _given, _may
    _given, _may = dict(variables), None


def let(may: bool) -> None:
    """Have the program know whether it may write the rules that are held."""
    global _may
    _may = may


def may_write() -> bool | None:
    """Whether rules that are held may be written; None while nobody knows."""
    return _may


def variable(name: str) -> str:
    """What the program was given, or else what its environment says; empty where there is none."""
    return _given.get(name, os.environ.get(name, ""))
