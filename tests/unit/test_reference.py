"""The reference and the JSON Schema say all there is, and nothing that is not so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from weir.model import WARNINGS, Duration, StackConfig, load, warnings
from weir.model.config.base import DETAILS, Part
from weir.model.config.metrics import Metric, Prometheus
from weir.model.config.notify import Notify
from weir.model.config.rollout import Analysis, Check, LatencyAnalysis, Rollout, RolloutStep
from weir.model.config.schema import schema
from weir.model.reference import markdown, reachable

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
FIELDS = [
    pytest.param(part, name, field, id=f"{part.__name__}.{field.alias or name}")
    for part in reachable(StackConfig)
    for name, field in part.model_fields.items()
]
PAGE = markdown()
# Keys of weir's own, which become no field of another API as they are.
OWN = {
    "services",
    "clients",
    "kubeContext",
    "kubeconfig",
    "ephemeral",
    "readyTimeout",
    "expose",
    "propagation",
    "adopt",
    "force",
    "workload",
    "rollout",
    "notify",
} | {
    "policyPack",
    "clusterDomain",
    "prometheus",
    "timeout",
    "grace",
    "istiodNamespace",
}
# Of rollouts, which become part of no object.
OWN_PARTS = {Rollout, RolloutStep, Analysis, LatencyAnalysis, Check, Metric, Notify, Prometheus}


@pytest.mark.parametrize(("part", "name", "field"), FIELDS)
def test_every_key_is_described(part: type[Part], name: str, field: FieldInfo) -> None:
    """Each has a meaning, the field it becomes, and an example that the model takes."""
    key = field.alias or name
    assert field.description
    extra: Any = field.json_schema_extra or {DETAILS: {"becomes": ""}}
    becomes = extra[DETAILS]["becomes"]
    assert becomes or part.message or key in OWN or part in OWN_PARTS
    [example] = field.examples or []
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    TypeAdapter(kind).validate_python(example)


@pytest.mark.parametrize(("part", "name", "field"), FIELDS)
def test_every_key_stands_in_the_reference(part: type[Part], name: str, field: FieldInfo) -> None:
    """Its section has a row for it, with its meaning."""
    title = "The stack" if part is StackConfig else part.__name__
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    [row] = [line for line in section.splitlines() if line.startswith(f"| `{field.alias or name}` |")]
    assert str(field.description).replace("|", "\\|") in row


def test_the_committed_files_are_those_of_the_model() -> None:
    """`make docs` was run after the last change of the model."""
    assert (REFERENCE / "config.md").read_text() == PAGE
    assert json.loads((REFERENCE / "stack.schema.json").read_text()) == schema()
    assert all(f"`{name}`" in PAGE for name in WARNINGS)


@pytest.mark.parametrize("file", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda file: file.name)
def test_editors_find_the_schema(file: Path) -> None:
    """Each stack file names it in its first line."""
    assert file.read_text().splitlines()[0] == "# yaml-language-server: $schema=docs/reference/stack.schema.json"


def test_the_project_describes_the_top_keys() -> None:
    """Pulumi.yaml has each key with the model's words, and the default by which Pulumi knows
    that it may be left out.
    """
    project = YAML(typ="safe").load((ROOT / "Pulumi.yaml").read_text())
    described = project["config"]
    assert list(described) == [f"weir:{field.alias}" for field in StackConfig.model_fields.values()]
    for field in StackConfig.model_fields.values():
        entry = described[f"weir:{field.alias}"]
        assert entry["description"] == field.description
        if field.alias == "namespace":
            assert "default" not in entry
        else:
            default = str(field.default) if isinstance(field.default, Duration) else field.default
            default = list(default) if isinstance(default, tuple) else default
            assert entry["default"] == ("" if default is None else {} if isinstance(default, Part) else default)
            assert StackConfig.model_validate(
                {"namespace": "demo", field.alias: entry["default"] or None}
            ) == StackConfig.model_validate({"namespace": "demo"})


def test_the_example_of_the_model_is_sound() -> None:
    """What docs/reference/model.md shows can be copied: no error, and no warning but the one it speaks of."""
    blocks = (REFERENCE / "model.md").read_text().split("```yaml\n")[1:]
    assert blocks
    for block in blocks:
        config = YAML(typ="safe").load(block.split("```")[0])
        config = load({"namespace": "demo", **{key.removeprefix("weir:"): value for key, value in config.items()}})
        assert {warning.name for warning in warnings(config)} <= {"fault-disables-retries"}
