"""What a version says about its container, with the field names of Kubernetes: resources, probes, security context."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, model_validator

from weir.model.config.base import Part, key, required
from weir.model.values.hosts import label_key
from weir.model.values.numbers import whole
from weir.model.values.problems import shown
from weir.model.values.schema import described
from weir.model.values.text import Flag, some_text

_RESOURCES = ("cpu", "memory", "ephemeral-storage")
_MAX_AMOUNT = (2**63 - 1) // 1000  # Kubernetes counts in thousandths, in 64 bits, and wraps round.
_MAX_DEVICE_PREFIX = 244  # Kubernetes keeps room for `requests.` before it, as quotas write it.

PROXY_USER = 1337
"""Istio's sidecar runs as this user, and traffic of this user passes it by: no application may."""

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_FACTORS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
}
_FACTORS |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}


def quantity(value: Any) -> str:
    """An amount of a resource as Kubernetes writes it: 250m, 1.5, 64Mi. Whole numbers are written out."""
    written = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    match = _QUANTITY.fullmatch(written) if isinstance(written, str) else None
    if match is None or amount(written) > _MAX_AMOUNT:
        raise ValueError(f"must be an amount such as 250m, 1.5 or 64Mi, was {shown(value)}")
    return str(written)


def amount(written: str) -> Decimal:
    """A quantity as a number, for comparing."""
    match = _QUANTITY.fullmatch(written)
    assert match is not None, written
    return Decimal(match[1]) * _FACTORS[match[2] or ""]


def _user(value: Any) -> int:
    number = whole(value, 0)
    if number == PROXY_USER:
        raise ValueError(
            f"must not be {PROXY_USER}: that is the user of Istio's sidecar, whose traffic passes the sidecar by; "
            "choose another user"
        )
    return number


def _resource(value: Any) -> str:
    name = label_key(value)
    prefix, slash, _ = name.rpartition("/")
    if not slash and name not in _RESOURCES and _page_size(name) is None:
        raise ValueError(
            f"no such resource; use {', '.join(_RESOURCES)}, hugepages-2Mi, or a device such as nvidia.com/gpu"
        )
    if slash and (name.startswith("requests.") or len(prefix) > _MAX_DEVICE_PREFIX):
        raise ValueError(
            "not a valid device name; its domain must not begin with requests. nor be longer than "
            f"{_MAX_DEVICE_PREFIX} characters"
        )
    return name


def _page_size(resource: str) -> Decimal | None:
    """The size of a huge page, None where the resource is something else."""
    written = resource.removeprefix("hugepages-")
    size = amount(written) if written != resource and _QUANTITY.fullmatch(written) else Decimal(0)
    return size if size > 0 and size == int(size) else None


def _shared(resource: str) -> bool:
    """Whether more than there is may be given out: not so with devices and huge pages."""
    return "kubernetes.io/" in resource or resource in _RESOURCES


def _capability(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z][A-Z_]*", value):
        raise ValueError(f"must be a capability such as NET_BIND_SERVICE, or ALL, was {shown(value)}")
    return value


def _profile(value: Any) -> str:
    path = some_text(value)
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(
            "must be a path below the kubelet's directory of profiles, without a leading / and without .., was "
            f"{shown(value)}"
        )
    return path


Quantity = Annotated[str, PlainValidator(quantity), described("amount", type=["string", "number"])]
Capability = Annotated[str, PlainValidator(_capability), described("capability")]
Profile = Annotated[str, PlainValidator(_profile), described("path")]
ResourceName = Annotated[str, PlainValidator(_resource), described("name of a resource")]
User = Annotated[int, PlainValidator(_user), described("number of a user", type="integer", minimum=0)]


class Resources(Part):
    """What a pod asks for, and what it may take at most."""

    message = "ResourceRequirements"

    requests: Mapping[ResourceName, Quantity] = key(
        "what is set aside for each pod", {}, example={"cpu": "10m", "memory": "16Mi"}
    )
    limits: Mapping[ResourceName, Quantity] = key("what each pod may take at most", {}, example={"memory": "64Mi"})

    @model_validator(mode="after")
    def _fits(self) -> Resources:
        for name, limit in self.limits.items():
            asked = self.requests.get(name)
            if asked is not None and amount(asked) > amount(limit):
                raise ValueError(
                    f"asks for more {name} than its limit: {asked} of {limit}; ask for less, or raise the limit"
                )
        for name in [*self.requests, *self.limits]:
            if not _shared(name):
                self._check_given_whole(name)
        paged = [name for name in [*self.requests, *self.limits] if _page_size(name) is not None]
        if paged and not {"cpu", "memory"} & {*self.requests, *self.limits}:
            raise ValueError(f"{paged[0]} needs cpu or memory beside it; add one")
        return self

    def _check_given_whole(self, name: str) -> None:
        limit, asked = self.limits.get(name), self.requests.get(name)
        if limit is None or (asked is not None and amount(asked) != amount(limit)):
            was = f"was {asked} of {limit}" if limit else "has none"
            raise ValueError(
                f"{name} needs a limit that is what is requested, {was}; write the same amount under limits"
            )
        if amount(limit) % (_page_size(name) or 1):
            raise ValueError(
                f"{name} must be a whole number of {'pages' if _page_size(name) else 'devices'}, was {limit}"
            )


class Capabilities(Part):
    """Powers of root, one by one. ALL are dropped unless this says otherwise."""

    message = "Capabilities"

    add: tuple[Capability, ...] = key("powers to have", (), example=["NET_BIND_SERVICE"])
    drop: tuple[Capability, ...] = key("powers to drop", (), example=["ALL"])


class SeccompProfile(Part):
    """Which system calls the container may make."""

    message = "SeccompProfile"

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"] = required(
        "RuntimeDefault, Unconfined or Localhost", example="RuntimeDefault"
    )
    localhost_profile: Profile | None = key(
        "the profile's file on the node, for type Localhost", example="profiles/app.json"
    )

    @model_validator(mode="after")
    def _names_a_profile_of_its_own(self) -> SeccompProfile:
        if (self.type == "Localhost") != (self.localhost_profile is not None):
            raise ValueError("localhostProfile belongs to type Localhost, and type Localhost needs it")
        return self


class SecurityContext(Part):
    """What the container may do. What is named here replaces that setting of weir's hardened default; the rest of the
    default stays.
    """

    message = "SecurityContext"

    run_as_user: User | None = key("the user's number; 65532 in weir", example=1000)
    run_as_group: User | None = key("the group's number; 65532 in weir", example=1000)
    run_as_non_root: Flag | None = key("whether root is refused; true in weir", example=True)
    read_only_root_filesystem: Flag | None = key("whether the image's files are read-only; true in weir", example=False)
    allow_privilege_escalation: Flag | None = key("whether a process may gain powers; false in weir", example=False)
    privileged: Flag | None = key(
        "whether the container may do all that the node may; false in Kubernetes", example=False
    )
    capabilities: Capabilities | None = key(
        "powers of root; ALL are dropped in weir", example={"add": ["NET_BIND_SERVICE"]}
    )
    seccomp_profile: SeccompProfile | None = key(
        "allowed system calls; RuntimeDefault in weir", example={"type": "RuntimeDefault"}
    )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> SecurityContext:
        if self.run_as_user == 0 and self.run_as_non_root is not False:
            raise ValueError(
                "runAsUser is root, which runAsNonRoot refuses; add runAsNonRoot: false, or choose another user"
            )
        if self.privileged and self.allow_privilege_escalation is not True:
            raise ValueError("privileged needs allowPrivilegeEscalation: true beside it, as Kubernetes demands; add it")
        if (
            self.capabilities
            and "CAP_SYS_ADMIN" in self.capabilities.add
            and self.allow_privilege_escalation is not True
        ):
            raise ValueError(
                "CAP_SYS_ADMIN needs allowPrivilegeEscalation: true beside it, as Kubernetes demands; add it"
            )
        return self
