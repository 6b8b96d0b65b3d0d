"""The component package as the engine asks for it: its schema, and what it constructs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from pydantic.alias_generators import to_camel

import components
from components.package import Package
from tests.components.test_own_program import own
from tests.components.test_program import DEPLOYMENT, ROUTE, RULE, Recorded
from tests.unit.model.hypothesis_rounds import in_rounds, tens
from tests.unit.model.strategies import configs
from weir.model import load, mesh
from weir.model.package_schema import package_schema

SCHEMA = package_schema("0.1.0")
README = Path(__file__).parents[2] / "README.md"
BACKEND = {
    "namespace": "demo",
    "image": "hashicorp/http-echo:1.0.0",
    "targetPort": 5678,
    "versions": {"v1": {"args": ["-text=one"]}, "v2": {"env": {"B": "2", "A": "1"}}},
    "stable": "v1",
    "canary": {"v2": 20},
}


def construct(kind: str, inputs: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> Recorded:
    """What the engine has the package do for one component of a program. An Output belongs to the event loop in which
    it is made: `inputs()`.
    """

    def program() -> None:
        made = Package().construct("backend", f"weir:mesh:{kind}", dict(inputs() if callable(inputs) else inputs))
        pulumi.export("urn", made.urn)

    return own(program)


@pytest.mark.parametrize("name", [name for name in components.__all__ if f"weir:mesh:{name}" in SCHEMA["resources"]])
def test_every_component_is_in_the_schema(name: str) -> None:
    """With the keys of its arguments, those that it needs, and no other."""
    declared = SCHEMA["resources"][f"weir:mesh:{name}"]
    taken = [each for each in fields(getattr(components, f"{name}Args")) if each.name != "stack"]
    assert set(declared["inputProperties"]) == {to_camel(each.name) for each in taken}
    needed = {to_camel(each.name) for each in taken if each.default is MISSING and each.default_factory is MISSING}
    assert set(declared["requiredInputs"]) == needed


def test_all_components_are_in_the_schema() -> None:
    """None is for Python alone."""
    resources = {f"weir:mesh:{name}" for name in components.__all__ if not name.endswith("Args")}
    assert resources == set(SCHEMA["resources"])


@in_rounds(15)
@tens
@given(configs(least=1))
def test_what_the_config_takes_the_schema_takes(raw: dict[str, Any]) -> None:
    """Every key of a service but `rollout`, which is for a command, and the kind of its value."""
    service = SCHEMA["resources"]["weir:mesh:MeshService"]["inputProperties"]
    for written in raw["services"].values():
        assert_fits({key: value for key, value in written.items() if key != "rollout"}, service, "service")


def assert_fits(written: Mapping[str, Any], keys: Mapping[str, Any], where: str) -> None:
    for key, value in written.items():
        assert key in keys, f"{where} has no {key}"
        if value is not None:
            assert any(fits(value, choice, f"{where}.{key}") for choice in keys[key].get("oneOf", [keys[key]])), (
                where,
                key,
                value,
            )


def fits(value: Any, kind: Mapping[str, Any], where: str) -> bool:
    """Whether a value is of a type of Pulumi's, which takes a number or true where a text is asked for."""
    if reference := kind.get("$ref"):
        if reference == "pulumi.json#/Any":
            return True
        if isinstance(value, Mapping):
            assert_fits(value, SCHEMA["types"][reference.removeprefix("#/types/")]["properties"], where)
        return isinstance(value, Mapping)
    match kind["type"]:
        case "object":
            inner = kind["additionalProperties"]
            assert_fits(value, dict.fromkeys(value, inner), where)
            return True
        case "array":
            return all(fits(each, kind["items"], where) for each in value)
        case "string":
            return isinstance(value, str | int | float)
    # A stack file may have numbers, and true, as text: `pulumi config set` writes them so.
    return isinstance(value, str | int | float)


def test_a_component_is_that_of_a_stack() -> None:
    """Word for word; whatever the order in which the protocol hands mappings on."""
    wanted = mesh(
        load(
            {
                "namespace": "demo",
                "services": {"backend": {key: value for key, value in BACKEND.items() if key != "namespace"}},
            }
        ),
        "demo",
    )
    backwards = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value for key, value in BACKEND.items()
    }
    for inputs in (BACKEND, backwards):
        recorded = construct("MeshService", inputs)
        service = wanted.services["backend"]
        for kind, name, manifest in [
            (DEPLOYMENT, "backend-v1", service.versions["v1"].deployment),
            (RULE, "backend-v2", service.versions["v2"].destination_rule),
            (ROUTE, "backend", service.virtual_service),
        ]:
            assert manifest is not None
            assert recorded.resources[(kind, name)]["spec"] == manifest["spec"]
        [container] = recorded.resources[(DEPLOYMENT, "backend-v2")]["spec"]["template"]["spec"]["containers"]
        assert [each["name"] for each in container["env"]] == ["A", "B"]


def test_what_is_known_late_stays_an_output() -> None:
    """An image, a number of pods, and the namespace."""

    def inputs() -> Mapping[str, Any]:
        late = {"namespace": pulumi.Output.from_input("demo"), "image": pulumi.Output.from_input("a/b:1")}
        return {**late, "versions": {"v1": {"replicas": pulumi.Output.from_input(3)}}, "stable": "v1"}

    recorded = construct("MeshService", inputs)
    pods = recorded.resources[(DEPLOYMENT, "backend-v1")]
    assert pods["metadata"]["namespace"] == "demo"
    assert (pods["spec"]["replicas"], pods["spec"]["template"]["spec"]["containers"][0]["image"]) == (3, "a/b:1")


def test_an_environment_that_is_secret_as_a_whole_goes_into_a_secret() -> None:
    """An engine hands over a mapping as one Output where it depends on something, or is secret."""

    def inputs() -> Mapping[str, Any]:
        env = pulumi.Output.secret({"TOKEN": "hidden", "LOG": "info"})
        return {**BACKEND, "versions": {"v1": {"env": env}, "v2": {}}}

    recorded = construct("MeshService", inputs)
    [secret] = [inputs for (kind, _), inputs in recorded.resources.items() if kind == "kubernetes:core/v1:Secret"]
    assert "hidden" not in str(recorded.resources[(DEPLOYMENT, "backend-v1")]["spec"])
    assert secret["immutable"] is True


@pytest.mark.parametrize(
    ("kind", "inputs", "said"),
    [
        (
            "MeshService",
            {**BACKEND, "targetprt": 1},
            'MeshService "backend": targetprt: unknown key, did you mean targetPort?',
        ),
        (
            "MeshService",
            {**BACKEND, "versions": {"v1": {"imag": "a"}}},
            "versions.v1: imag: unknown key, did you mean image?",
        ),
        (
            "MeshService",
            {**BACKEND, "cluster": {"kubeConfig": "a"}},
            "cluster: kubeConfig: unknown key, did you mean kubeconfig?",
        ),
        (
            "MeshService",
            {"namespace": "demo"},
            'MeshService "backend": stable: missing: the version that gets what the canaries leave',
        ),
        (
            "MeshService",
            {**BACKEND, "stable": "v3"},
            'MeshService "backend": stable: no such version "v3" (versions: v1, v2)',
        ),
        (
            "Gateway",
            {"namespace": "demo", "servers": []},
            'Gateway "backend": selector: missing: labels of the gateway',
        ),
        ("Meshservice", BACKEND, "weir has no component weir:mesh:Meshservice"),
    ],
)
def test_what_is_wrong_is_said_in_weirs_words(kind: str, inputs: dict[str, Any], said: str) -> None:
    """As the engine shows it: not a class of Python's."""
    with pytest.raises(pulumi.InputPropertiesError, match=re.escape(said)) as refused:
        construct(kind, inputs)
    # With no list at all the server of Pulumi's SDK fails to send the message.
    assert refused.value.errors == []


def test_hooks_of_components_that_know_nothing_of_each_other_have_names_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All are registered with the one program, where a name is taken once; each component has a monitor of its own."""
    names: list[str] = []
    for kind in (pulumi.ResourceHook, pulumi.ErrorHook):
        init = kind.__init__

        def noted(self: Any, name: str, *rest: Any, init: Any = init) -> None:
            names.append(name)
            init(self, name, *rest)

        monkeypatch.setattr(kind, "__init__", noted)
    for _ in range(2):
        construct("MeshService", BACKEND)
    assert len(names) == len(set(names)) > 2


def test_the_yaml_of_the_readme_is_taken() -> None:
    """Every key of the component is in the schema, and the component is made."""
    [found] = re.findall(r"```yaml\n(.*?)```", README.read_text().partition("## In your own program")[2], re.DOTALL)
    program = yaml.safe_load(found)
    [backend] = [each for each in program["resources"].values() if each["type"] == "weir:mesh:MeshService"]
    assert_fits(backend["properties"], SCHEMA["resources"]["weir:mesh:MeshService"]["inputProperties"], "README")
    recorded = construct("MeshService", backend["properties"])
    [route] = recorded.resources[(ROUTE, "backend")]["spec"]["http"]
    assert [(each["destination"]["subset"], each["weight"]) for each in route["route"]] == [("v1", 80), ("v2", 20)]
