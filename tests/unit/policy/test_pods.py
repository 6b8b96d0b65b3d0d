"""Pods: the profile restricted of the Pod Security Standards."""

from __future__ import annotations

from typing import Any

import pytest

from policy.known import UNKNOWN
from policy.pods import unrestricted
from tests.unit.policy.cases import Case, meshed, pods, put

POD = "spec.template.spec"
CONTEXT = f"{POD}.containers.0.securityContext"


def own(**context: Any) -> list[str]:
    """The pods of a version with settings of its security context, through weir's config."""
    return unrestricted(pods("v2", securityContext=context))


def bare(of_pod: dict[str, Any], of_container: dict[str, Any]) -> list[str]:
    """Pods that weir would not write, with just these security contexts."""
    return unrestricted(put(put(pods(), CONTEXT, of_container), f"{POD}.securityContext", of_pod))


def refused(*messages: str) -> list[str]:
    return [f"backend v2: {message}" for message in messages]


DROP = {"drop": ["ALL"]}
CASES = [
    Case("restricted-pods", "weir's own", lambda: unrestricted(pods())),
    Case("restricted-pods", "a client", lambda: unrestricted(meshed({}).clients["frontend"].deployment)),
    Case("restricted-pods", "a low port", lambda: own(capabilities={**DROP, "add": ["NET_BIND_SERVICE"]})),
    Case(
        "restricted-pods",
        "a profile of its own",
        lambda: own(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"}),
    ),
    Case(
        "restricted-pods",
        "said of the pod",
        lambda: bare(
            {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            {"allowPrivilegeEscalation": False, "capabilities": DROP},
        ),
    ),
    Case("restricted-pods", "not known yet", lambda: unrestricted(put(pods(), CONTEXT, UNKNOWN))),
    Case(
        "restricted-pods",
        "settings that are not known yet",
        lambda: bare(
            {"seccompProfile": UNKNOWN},
            {"runAsNonRoot": UNKNOWN, "allowPrivilegeEscalation": UNKNOWN, "capabilities": {"drop": UNKNOWN}},
        ),
    ),
    Case("restricted-pods", "pods that are not known yet", lambda: unrestricted(put(pods(), "spec", UNKNOWN))),
    Case(
        "restricted-pods",
        "nothing said",
        lambda: bare({}, {}),
        refused(
            "securityContext.runAsNonRoot must be true, was left out",
            "securityContext.allowPrivilegeEscalation must be false, was left out",
            "securityContext.capabilities.drop must have ALL, was left out",
            "securityContext.seccompProfile.type must be RuntimeDefault or Localhost, was left out",
        ),
    ),
    Case(
        "restricted-pods",
        "root",
        lambda: own(runAsUser=0, runAsNonRoot=False),
        refused(
            "securityContext.runAsNonRoot must be true, was false",
            "securityContext.runAsUser must not be 0, which is root; name another user",
        ),
    ),
    Case(
        "restricted-pods",
        "the container overrules the pod",
        lambda: bare(
            {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            {
                "runAsNonRoot": False,
                "seccompProfile": {"type": "Unconfined"},
                "allowPrivilegeEscalation": False,
                "capabilities": DROP,
            },
        ),
        refused(
            "securityContext.runAsNonRoot must be true, was false",
            'securityContext.seccompProfile.type must be RuntimeDefault or Localhost, was "Unconfined"',
        ),
    ),
    Case(
        "restricted-pods",
        "privileged",
        lambda: own(privileged=True, allowPrivilegeEscalation=True),
        refused(
            "securityContext.allowPrivilegeEscalation must be false, was true",
            "securityContext.privileged must not be true; remove it",
        ),
    ),
    Case(
        "restricted-pods",
        "powers",
        lambda: own(capabilities={"add": ["NET_BIND_SERVICE", "NET_ADMIN"], "drop": ["CHOWN"]}),
        refused(
            "securityContext.capabilities.drop must have ALL, was CHOWN",
            "securityContext.capabilities.add may have NET_BIND_SERVICE alone, was NET_ADMIN",
        ),
    ),
    *(
        Case(
            "restricted-pods",
            key,
            lambda key=key: unrestricted(put(pods(), f"{POD}.{key}", True)),  # type: ignore[misc]
            refused(f"{key} must not be set, was true; remove it"),
        )
        for key in ("hostNetwork", "hostPID", "hostIPC")
    ),
    Case(
        "restricted-pods",
        "a path of the node",
        lambda: unrestricted(
            put(
                pods(),
                f"{POD}.volumes",
                [{"name": "etc", "hostPath": {"path": "/etc"}}, {"name": "tmp", "emptyDir": {}}],
            )
        ),
        refused("volume etc must not be a hostPath; use a volume of another kind"),
    ),
    Case(
        "restricted-pods",
        "a container that runs before",
        lambda: unrestricted(
            put(pods(), f"{POD}.initContainers", [{"name": "warm", "securityContext": {"runAsNonRoot": True}}])
        )[:1],
        refused("securityContext.allowPrivilegeEscalation must be false, was left out"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_pods(case: Case) -> None:
    """What weir writes keeps to the profile; what a config, or somebody else, takes away from it is named."""
    case.check()
