"""The component package: the components for programs in any language, which the engine has this process construct."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pulumi
from pulumi.provider.provider import ConstructResult, Provider
from pydantic.alias_generators import to_snake

import components
from components.constructed import CONSTRUCTED
from weir.model.component_arguments import CLUSTER, VERSION, Arguments, arguments, shapes
from weir.model.package_schema import OUTPUTS, package_schema, token
from weir.model.validation.messages import unknown_key


class Package(Provider):
    """What constructs components for the engine (`Construct` of Pulumi's provider protocol)."""

    def __init__(self) -> None:
        """The package in the version that is installed."""
        super().__init__(version("weir"), json.dumps(package_schema(version("weir"))))
        self._arguments = {each.name: each for each in arguments(shapes())}

    def construct(
        self, name: str, resource_type: str, inputs: pulumi.Inputs, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """A component of a program, whatever its language. Raises InputPropertiesError with all that is wrong with its
        arguments.
        """
        kind = resource_type.rpartition(":")[2]
        if resource_type != token(kind) or kind not in self._arguments:
            raise pulumi.InputPropertiesError(f"weir has no component {resource_type}", [])

        async def made() -> Any:
            CONSTRUCTED.set(True)
            try:
                return getattr(components, kind)(
                    name, await self._args(f'{kind} "{name}"', self._arguments[kind], inputs), options
                )
            except pulumi.RunError as error:
                # The one error whose words alone the engine shows; without a list the server of Pulumi's SDK fails to
                # send it.
                raise pulumi.InputPropertiesError(str(error), []) from None

        component: pulumi.Output[Any] = pulumi.Output.from_input(made())
        return ConstructResult(
            component.apply(lambda it: it.urn),
            {key: component.apply(lambda it, key=key: getattr(it, key)) for key in OUTPUTS.get(kind, {})},  # type: ignore[misc]
        )

    async def _args(self, where: str, known: Arguments, inputs: Mapping[str, Any]) -> Any:
        """The arguments as the component takes them."""
        keys = {each.key: each for each in known.keys}
        given: dict[str, Any] = {}
        for key, value in inputs.items():
            if key not in keys:
                raise pulumi.RunError(f"{where}: {key}: {unknown_key(key, tuple(keys))}")
            if keys[key].late and key != "env":
                given[to_snake(key)] = value
                continue
            hidden = isinstance(value, pulumi.Output) and await value.is_secret()
            value = await _known(value, f"{where}: {key}")
            if key == "env" and hidden:
                # Its names decide which variables there are; that it is secret holds for each value.
                value = {name: pulumi.Output.secret(each) for name, each in value.items()}
            elif key == "cluster":
                value = await self._args(f"{where}: cluster", self._arguments[CLUSTER], value)
            elif key == "versions" and isinstance(value, Mapping):
                inside = self._arguments[VERSION]
                value = {
                    name: await self._args(f"{where}: versions.{name}", inside, each or {})
                    for name, each in value.items()
                }
            given[to_snake(key)] = value
        if missing := [each for each in known.keys if each.required and each.key not in inputs]:
            raise pulumi.RunError(
                "\n".join(f"{where}: {each.key}: missing: {each.shape['description']}" for each in missing)
            )
        return getattr(components, f"{known.name}Args")(**given)


async def _known(value: Any, where: str) -> Any:
    """What decides which resources there are. What a program may know only while it runs stays as it is inside it."""
    if isinstance(value, pulumi.Output):
        if not await value.is_known():
            raise pulumi.RunError(
                f"{where}: must be known before anything runs; namespace, image, replicas and single variables of "
                "env may be known only then"
            )
        value = await value.future()
    return _ordered(value)


def _ordered(value: Any) -> Any:
    """Mappings in the order of their keys: the protocol keeps none, and a list that is made of one would differ from
    run to run.
    """
    if isinstance(value, Mapping):
        return {key: _ordered(inner) for key, inner in sorted(value.items())}
    return [_ordered(inner) for inner in value] if isinstance(value, list) else value
