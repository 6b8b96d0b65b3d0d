"""The arguments of the components, whatever the language: the keys of the stack config, and what a program says in
addition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from weir.model.config.schema import REQUIRED, definitions

CLUSTER, WORKLOAD, VERSION = "Cluster", "Workload", "Version"
"""Shapes that are no mapping of the config's."""
_LATE = ("namespace", "image", "replicas", "env", "workload")
"""What a program may know only while it runs. All else decides which resources there are, and in which order."""
_SERVICE = {"service": "the service; the name is its host's, and the value of the label app"}
_POD_KEYS = ("targetPort", "protocol", "ports", "selector")
_NOT_OF_PODS = ("host", "port", "external", "trafficPolicy", "headers")
_RULE_KEYS = ("trafficPolicy", "exportTo")
_ROUTE_KEYS = (
    *("stable", "canary", "fault", "timeout", "retries", "mirrors", "headers", "corsPolicy", "rewrite"),
    *("redirect", "directResponse", "routes", "drill", "exportTo", "expose", "ports"),
)


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument of a component."""

    key: str
    """as the stack config writes it"""
    shape: Mapping[str, Any]
    """JSON Schema, with a description"""
    required: bool = False
    default: str | bool | None = None
    """what it is when left out; None: it is left out"""

    @property
    def late(self) -> bool:
        """Whether a program may know it only while it runs."""
        return self.key in _LATE


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """All arguments of a component, or of a thing inside one."""

    name: str
    """of the component, or of the thing"""
    says: str
    keys: tuple[Argument, ...]


def shapes() -> Mapping[str, Any]:
    """The mappings of the config by name, as JSON Schema."""
    whole = definitions()
    found: dict[str, Any] = whole["$defs"]
    found["StackConfig"] = whole
    return found


def arguments(found: Mapping[str, Any]) -> list[Arguments]:
    """The arguments of all components and of what stands inside them, each after what it names; by the mappings of the
    config.
    """
    service, version = found["Service"]["properties"], found["Version"]["properties"]
    return [
        Arguments(name=CLUSTER, says=_CLUSTER_SAYS, keys=tuple(_cluster(found))),
        _whole("Gateway", found, "Gateway"),
        _whole("Client", found, "Client"),
        Arguments(
            name=VERSION,
            says=found["Version"]["description"],
            keys=(
                *_config(_without(version, "workload")),
                Argument(key="workload", shape={"$ref": WORKLOAD, "description": _WORKLOAD_SAYS}),
            ),
        ),
        # A rollout goes by a stack file, and becomes part of no object.
        _whole("MeshService", {"Service": {**found["Service"], "properties": _without(service, "rollout")}}, "Service"),
        _part(
            "BackendVersion",
            "The pods of one version of a service.",
            {**_SERVICE, "version": "the version; the name is the value of the label version"},
            _config(_without(version, *_NOT_OF_PODS) | _only(service, _POD_KEYS)),
        ),
        _part(
            "DestinationRule",
            "The subset of one version of a service, or how all its pods are treated.",
            _SERVICE,
            [
                Argument(
                    key="version",
                    shape={
                        "type": "string",
                        "description": "the version; the name is the value of the label version; all when left out",
                    },
                ),
                *_config(_only(version, ("labels",))),
                *_config(_only(service, _RULE_KEYS)),
            ],
        ),
        _part(
            "VirtualService",
            "How the traffic of one service is divided between versions that there are.",
            _SERVICE,
            [
                Argument(key="versions", shape=_VERSION_NAMES, required=True),
                *_config(_only(service, _ROUTE_KEYS), ["stable"]),
            ],
        ),
    ]


_CLUSTER_SAYS = (
    "Which cluster it is, and how a component works on it. Components with the same settings share what the cluster "
    "has answered."
)
_WORKLOAD_SAYS = (
    "a Deployment or StatefulSet of the program's own that runs its pods, or KIND/NAME of one that is there; weir "
    "makes none then"
)
_VERSION_NAMES = {
    "type": "array",
    "items": {"type": "string"},
    "description": "its versions, each a subset of a DestinationRule",
}


def reached(found: Mapping[str, Any], roots: Iterable[Any]) -> list[str]:
    """The names of the mappings that these shapes name, and those name in turn."""
    seen: list[str] = []
    left = list(roots)
    for shape in left:
        new = [
            name for name in dict.fromkeys(_references(shape)) if name in found and name not in seen and name != VERSION
        ]
        seen += new
        left += [found[name] for name in new]
    return seen


def _references(shape: Any) -> Iterator[str]:
    if isinstance(shape, Mapping):
        if "$ref" in shape:
            yield named(shape)
        for inner in shape.values():
            yield from _references(inner)
    elif isinstance(shape, list):
        for inner in shape:
            yield from _references(inner)


def named(shape: Mapping[str, Any]) -> str:
    """The mapping that a reference names."""
    return str(shape["$ref"].rpartition("/")[2])


def choices(shape: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The shapes of which it is any, but for none. That the config also takes numbers as text is for files alone."""
    found = [choice for choice in shape["anyOf"] if choice.get("type") != "null"]
    return [choice for choice in found if "pattern" not in choice] or found


def constants(shape: Mapping[str, Any]) -> list[Any]:
    """The values of which it is one; none where it may be others."""
    return list(shape.get("enum", [shape["const"]] if "const" in shape else []))


def values(shape: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The shape of every value of a mapping whose keys are names; None where they may be anything."""
    inner = shape.get("additionalProperties") or next(iter(shape.get("patternProperties", {}).values()), None)
    return inner if isinstance(inner, Mapping) and inner else None


def _cluster(found: Mapping[str, Any]) -> Iterator[Argument]:
    stack, propagation = found["StackConfig"]["properties"], found["Propagation"]["properties"]
    keys: Mapping[str, Any] = {
        **_only(stack, ("kubeconfig", "kubeContext", "clusterDomain")),
        "istiodNamespace": propagation["istiodNamespace"],
        "propagationTimeout": propagation["timeout"],
        "propagationGrace": propagation["grace"],
        **_only(stack, ("readyTimeout", "adopt", "force")),
    }
    for key, shape in keys.items():
        default = shape.get("default")
        yield Argument(key=key, shape=shape, default=default["text"] if isinstance(default, Mapping) else default)


def _whole(name: str, found: Mapping[str, Any], kind: str) -> Arguments:
    """A component that is a thing of the stack config."""
    shape = found[kind]
    required = REQUIRED.get(kind, shape.get("required", []))
    return _part(name, shape["description"], {}, _config(shape["properties"], required))


def _part(name: str, says: str, own: Mapping[str, str], keys: Iterable[Argument]) -> Arguments:
    """A component with these keys, and with what every one has."""
    place = {"namespace": "the namespace it lives in, with sidecar injection on", **own}
    said = [
        Argument(key=key, shape={"type": "string", "description": text}, required=True) for key, text in place.items()
    ]
    cluster = Argument(
        key="cluster",
        shape={"$ref": CLUSTER, "description": "the cluster, and what is asked of it before something changes"},
    )
    return Arguments(name=name, says=says, keys=(*said, *sorted(keys, key=lambda each: not each.required), cluster))


def _config(keys: Mapping[str, Any], required: Iterable[str] = ()) -> list[Argument]:
    needed = set(required)
    return [Argument(key=key, shape=shape, required=key in needed) for key, shape in keys.items()]


def _without(keys: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in keys.items() if name not in names}


def _only(keys: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: keys[name] for name in names}
