"""Environment variables of a container, with the field names of Kubernetes: a text, a secret, or where the value comes
from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, model_validator

from weir.model.config.base import Part, exactly_one, key, required
from weir.model.values.hosts import label_key
from weir.model.values.names import EnvName, Label
from weir.model.values.problems import shown
from weir.model.values.schema import described
from weir.model.values.text import Flag, text
from weir.secret import Secret

MAX_KEY = 253
"""Characters in a key of a Secret or ConfigMap, and in the name of either."""

_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_FIELDS = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
_SUBSCRIPTED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_RESOURCE = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMGTPE]i?)")
_UNITS = ("1", *(f"1{unit}{binary}" for binary in ("", "i") for unit in "kMGTPE" if unit + binary != "ki"), "1Ki")


def env_value(value: Any) -> str | Secret:
    """The value of a variable, in the clear or not."""
    return value if isinstance(value, Secret) else text(value)


def _object_name(value: Any) -> str:
    if not isinstance(value, str) or not _OBJECT.fullmatch(value) or len(value) > MAX_KEY:
        raise ValueError(
            f"must be the name of an object: lower-case letters, digits, '-' and '.', at most {MAX_KEY}, was "
            f"{shown(value)}"
        )
    return value


def _data_key(value: Any) -> str:
    if (
        not isinstance(value, str)
        or not _KEY.fullmatch(value)
        or len(value) > MAX_KEY
        or value == "."
        or value.startswith("..")
    ):
        raise ValueError(
            f"must be a key: letters, digits, '-', '_' and '.', at most {MAX_KEY}, not beginning with two dots, was "
            f"{shown(value)}"
        )
    return value


def _field_path(value: Any) -> str:
    subscripted = _SUBSCRIPTED.fullmatch(value) if isinstance(value, str) else None
    if subscripted:
        label_key(subscripted[2])
    elif value not in _FIELDS:
        raise ValueError(
            f"must be one of {', '.join(_FIELDS)}, or metadata.labels['KEY'], metadata.annotations['KEY'], was "
            f"{shown(value)}"
        )
    return str(value)


def _container_resource(value: Any) -> str:
    if not isinstance(value, str) or not _RESOURCE.fullmatch(value):
        raise ValueError(
            "must be limits or requests of cpu, memory, ephemeral-storage or huge pages, as limits.memory, was "
            f"{shown(value)}"
        )
    return value


def _divisor(value: Any) -> str:
    written = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if written not in ("1m", *_UNITS):
        raise ValueError(f"must be a unit: 1, 1m of cpu, or 1k to 1E and 1Ki to 1Ei of bytes, was {shown(value)}")
    return str(written)


SHAPES: list[dict[str, Any]] = [
    {"type": ["string", "integer", "boolean"]},
    {
        "type": "object",
        "properties": {"secure": {"type": "string"}},
        "required": ["secure"],
        "additionalProperties": False,
    },
]
"""What the value of a variable may be in a stack file, as JSON Schema: a text, or what Pulumi has encrypted."""

EnvValue = Annotated[str | Secret, PlainValidator(env_value), described("text, or a secret", anyOf=SHAPES)]
ObjectName = Annotated[str, PlainValidator(_object_name), described("name of an object")]
DataKey = Annotated[str, PlainValidator(_data_key), described("key")]
FieldPath = Annotated[str, PlainValidator(_field_path), described("path of a field")]
ContainerResource = Annotated[str, PlainValidator(_container_resource), described("limit or request")]
Divisor = Annotated[str, PlainValidator(_divisor), described("unit", type=["string", "integer"])]


class KeyRef(Part):
    """One value of a Secret or ConfigMap of the stack's namespace, which somebody else makes."""

    message = "SecretKeySelector"

    name: ObjectName = required("the object's name", example="shop-db")
    optional: Flag | None = key("whether pods start without it; false in Kubernetes", example=True)
    key: DataKey = required("the key in it", example="password")


class FieldRef(Part):
    """A field of the pod."""

    message = "ObjectFieldSelector"

    api_version: Literal["v1"] | None = key("the API's version of the path; v1 when left out", example="v1")
    field_path: FieldPath = required("the field", example="status.podIP")


class ResourceFieldRef(Part):
    """What a container of the pod requests, or its limit."""

    message = "ResourceFieldSelector"

    container_name: Label | None = key("the container; weir's own when left out", example="istio-proxy")
    resource: ContainerResource = required("the limit or request", example="limits.memory")
    divisor: Divisor | None = key("the unit to give it in; 1 when left out", example="1Mi")

    @model_validator(mode="after")
    def _has_a_unit_of_its_own(self) -> ResourceFieldRef:
        units = ("1", "1m") if self.resource.endswith(".cpu") else _UNITS
        if self.divisor is not None and self.divisor not in units:
            raise ValueError(f"divisor of {self.resource} must be one of {', '.join(units)}, was {self.divisor}")
        return self


class ValueFrom(Part):
    """Where the value of a variable comes from when a container starts: exactly one of these."""

    message = "EnvVarSource"

    secret_key_ref: KeyRef | None = key("a value of a Secret", example={"name": "shop-db", "key": "password"})
    config_map_key_ref: KeyRef | None = key("a value of a ConfigMap", example={"name": "shop", "key": "log-level"})
    field_ref: FieldRef | None = key("a field of the pod", example={"fieldPath": "status.podIP"})
    resource_field_ref: ResourceFieldRef | None = key(
        "a limit or request of a container", example={"resource": "limits.memory"}
    )

    @model_validator(mode="after")
    def _one_source(self) -> ValueFrom:
        exactly_one(self, "secret_key_ref", "config_map_key_ref", "field_ref", "resource_field_ref")
        return self


class Variable(Part):
    """An environment variable: exactly one of value and valueFrom. A text, or a secret, in its place is its value."""

    message = "EnvVar"

    value: EnvValue | None = key(
        "the value; pulumi config set --secret --path keeps it secret, in a Secret of the version's", example="info"
    )
    value_from: ValueFrom | None = key(
        "where it comes from", example={"secretKeyRef": {"name": "shop-db", "key": "password"}}
    )

    @model_validator(mode="before")
    @classmethod
    def _value_alone(cls, data: Any) -> Any:
        return data if isinstance(data, dict | Variable) else {"value": env_value(data)}

    @model_validator(mode="after")
    def _one_of_both(self) -> Variable:
        exactly_one(self, "value", "value_from")
        return self


class EnvSource(Part):
    """An object that is there by itself."""

    message = "SecretEnvSource"

    name: ObjectName = required("the object's name", example="shop-settings")
    optional: Flag | None = key("whether pods start without it; false in Kubernetes", example=True)


class EnvFrom(Part):
    """All values of a Secret or ConfigMap of the stack's namespace as variables: exactly one of secretRef and
    configMapRef.
    """

    message = "EnvFromSource"

    prefix: EnvName | None = key("what stands before each name", example="SHOP_")
    secret_ref: EnvSource | None = key("the Secret", example={"name": "shop-settings"})
    config_map_ref: EnvSource | None = key("the ConfigMap", example={"name": "shop-settings"})

    @model_validator(mode="after")
    def _one_source(self) -> EnvFrom:
        exactly_one(self, "secret_ref", "config_map_ref")
        return self


def secrets(env: Mapping[str, Variable]) -> dict[str, Secret]:
    """The variables whose values weir keeps secret."""
    return {name: variable.value for name, variable in env.items() if isinstance(variable.value, Secret)}
