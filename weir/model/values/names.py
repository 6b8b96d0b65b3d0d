"""Names in the config, and what Kubernetes and registries demand of them.

Parsers raise ValueError whose text stands behind a path: `must be …, was …`. Rules come from Kubernetes (RFC 1123 and
RFC 1035 labels, environment variables) and from github.com/distribution/reference (image references).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator

from weir.model.values.problems import shown
from weir.model.values.schema import described

MAX_LABEL = 63
"""Characters in a DNS label; Services, label values and the names of weir's Deployments share the limit."""

MAX_PET = 24
"""Characters that an ephemeral namespace keeps free for its suffix: two words of RandomPet and the hyphens before
them.
"""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = rf"{_LABEL.pattern}(\.{_LABEL.pattern})*"
WORKLOAD_KINDS = ("deployment", "statefulset", "daemonset")
"""Kinds of Kubernetes' own that keep pods running."""
_WORKLOAD = re.compile(rf"({'|'.join(WORKLOAD_KINDS)}|[a-z0-9-]+\.{_SUBDOMAIN})/{_SUBDOMAIN}")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9](?:-?[a-z0-9])*")
_MAX_PORT_NAME = 15
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")

# The grammar of github.com/distribution/reference: [domain/]path[:tag][@digest].
_DOMAIN_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_MAX_IMAGE_NAME = 255


def label(value: Any) -> str:
    """A DNS label (RFC 1123): label values, and names that become part of a resource's name."""
    if not isinstance(value, str) or not _LABEL.fullmatch(value):
        raise ValueError(
            "must be lower-case letters, digits and '-', starting and ending with a letter or digit, was "
            f"{shown(value)}"
        )
    if len(value) > MAX_LABEL:
        raise ValueError(f"must be at most {MAX_LABEL} characters, was {len(value)}")
    return value


def service_name(value: Any) -> str:
    """A DNS label (RFC 1035), which Kubernetes demands of a Service: a label that starts with a letter."""
    name = label(value)
    if not name[0].isalpha():
        raise ValueError(f"must start with a letter, as the name of a Kubernetes Service does, was {shown(value)}")
    return name


def port_name(value: Any) -> str:
    """The name of a port (IANA_SVC_NAME), which Kubernetes demands of a container's."""
    if not isinstance(value, str) or not _PORT_NAME.fullmatch(value):
        raise ValueError(
            "must be lower-case letters, digits and single '-' between them, with a letter among them, was "
            f"{shown(value)}"
        )
    if len(value) > _MAX_PORT_NAME:
        raise ValueError(f"must be at most {_MAX_PORT_NAME} characters, was {len(value)}")
    return value


def env_name(value: Any) -> str:
    """The name of an environment variable, as Kubernetes takes it in every version."""
    if not isinstance(value, str) or not _ENV_NAME.fullmatch(value):
        raise ValueError(
            "not a valid name of an environment variable; use letters, digits, '_', '-' and '.', not starting with a "
            "digit"
        )
    if value == "." or value.startswith(".."):
        raise ValueError("not a valid name of an environment variable; it must not be a dot alone, nor begin with two")
    return value


def image(value: Any) -> str:
    """An image reference: [registry/]name[:tag][@digest]."""
    match = _IMAGE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be an image reference such as registry.example.com/team/app:1.0, was {shown(value)}")
    if len(match["name"]) > _MAX_IMAGE_NAME:
        raise ValueError(f"must have a name of at most {_MAX_IMAGE_NAME} characters, was {len(match['name'])}")
    return str(value)


def workload(value: Any) -> str:
    """What runs pods, as kubectl names it: KIND/NAME, or RESOURCE.GROUP/NAME for kinds that are not Kubernetes' own."""
    if not isinstance(value, str) or not _WORKLOAD.fullmatch(value):
        raise ValueError(
            f"must be {', '.join(f'{kind}/NAME' for kind in WORKLOAD_KINDS)}, or RESOURCE.GROUP/NAME such as "
            f"rollouts.argoproj.io/shop, was {shown(value)}"
        )
    return value


_NAME = described("name (DNS label)", type="string", pattern=f"^{_LABEL.pattern}$")

EnvName = Annotated[str, PlainValidator(env_name), described("name of a variable")]
Image = Annotated[str, PlainValidator(image), described("image reference")]
PortName = Annotated[
    str,
    PlainValidator(port_name),
    described("name of a port", type="string", pattern="^[a-z0-9](-?[a-z0-9])*$", maxLength=15),
]
Label = Annotated[str, PlainValidator(label), _NAME]
WorkloadName = Annotated[
    str, PlainValidator(workload), described("KIND/NAME of a workload", type="string", pattern=f"^{_WORKLOAD.pattern}$")
]
ServiceName = Annotated[str, PlainValidator(service_name), _NAME]
