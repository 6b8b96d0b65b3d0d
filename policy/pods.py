"""Pods as the Pod Security Standards have them, profile restricted, where the mesh allows it.

Istio's init container is root and redirects traffic, so a namespace with sidecars cannot enforce the profile; it
stands in no object of a stack, and what does stand there can keep to it.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policy.known import UNKNOWN, Props, listed, mapping
from policy.rule import ANY, EVERY_STACK, Rule
from policy.workload import pods, who
from weir.model.values.problems import shown

_PROFILES = ("RuntimeDefault", "Localhost")


def unrestricted(props: Props) -> list[str]:
    """A message for each setting of the pods, or of a container, that the profile forbids or misses."""
    found: list[str] = []
    for each in pods(props):
        found += _of_pod(each.spec)
        for container in each.containers:
            found += _of_container(container, mapping(each.spec.get("securityContext")))
    return [f"{who(props)}: {message}" for message in found]


def _of_pod(spec: Mapping[str, Any]) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key) not in (None, False, UNKNOWN):
            yield f"{key} must not be set, was {shown(spec[key])}; remove it"
    for volume in map(mapping, listed(spec.get("volumes"))):
        if "hostPath" in volume:
            yield f"volume {volume.get('name')} must not be a hostPath; use a volume of another kind"


def _of_container(container: Mapping[str, Any], of_pod: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext")
    if own is UNKNOWN:
        return
    context = mapping(own)

    def effective(key: str) -> Any:
        """The container's setting, else the pod's."""
        return context[key] if context.get(key) is not None else of_pod.get(key)

    expected: list[tuple[str, Any, bool]] = [
        ("runAsNonRoot", effective("runAsNonRoot"), True),
        ("allowPrivilegeEscalation", context.get("allowPrivilegeEscalation"), False),
    ]
    for key, value, wanted in expected:
        if value is not wanted and value is not UNKNOWN:
            yield f"securityContext.{key} must be {shown(wanted)}, was {_said(value)}"
    if effective("runAsUser") == 0:
        yield "securityContext.runAsUser must not be 0, which is root; name another user"
    if context.get("privileged") is True:
        yield "securityContext.privileged must not be true; remove it"
    yield from _powers(context.get("capabilities"))
    profile = effective("seccompProfile")
    kind = profile if profile is UNKNOWN else mapping(profile).get("type")
    if kind is not UNKNOWN and kind not in _PROFILES:
        yield f"securityContext.seccompProfile.type must be {' or '.join(_PROFILES)}, was {_said(kind)}"


def _powers(capabilities: Any) -> Iterator[str]:
    drop = None if capabilities is UNKNOWN else mapping(capabilities).get("drop")
    if (
        capabilities is not UNKNOWN
        and drop is not UNKNOWN
        and UNKNOWN not in listed(drop)
        and "ALL" not in listed(drop)
    ):
        yield f"securityContext.capabilities.drop must have ALL, was {', '.join(listed(drop)) or 'left out'}"
    more = [name for name in listed(mapping(capabilities).get("add")) if name not in ("NET_BIND_SERVICE", UNKNOWN)]
    if more:
        yield f"securityContext.capabilities.add may have NET_BIND_SERVICE alone, was {', '.join(map(str, more))}"


def _said(value: Any) -> str:
    return "left out" if value is None else shown(value)


RESTRICTED = Rule(
    name="restricted-pods",
    description="Pods keep to the Pod Security Standards, profile restricted.",
    kinds=(ANY,),
    stacks=EVERY_STACK,
    judge=lambda props, _settings, _stack: unrestricted(props),
)
