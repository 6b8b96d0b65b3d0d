"""Secrets of the config in the program: what Pulumi is given, in which order, and what nobody is told."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pulumi
import pytest
from google.protobuf import json_format

from tests.components.test_program import DEPLOYMENT, Recorded, encrypted, run
from tests.unit.model.test_config import SOUND
from weir import yaml_writer
from weir.model import load, mesh
from weir.secret import opaque

SECRET = "kubernetes:core/v1:Secret"
MARK = "4dabf18193072939515e22adb298388d"
HUNTER = "hunter2-of-nobody"
"""The value that must be nowhere in the clear."""


def config(**service: Any) -> dict[str, Any]:
    """The sound config with a secret of the service, which its second version replaces, and variables in the clear."""
    made: dict[str, Any] = copy.deepcopy(SOUND)
    backend = made["services"]["backend"]
    backend["env"] = {"LOG": "info", "TOKEN": {"secure": HUNTER}}
    backend["versions"] = {
        "v1": {},
        "v2": {
            "env": {
                "TOKEN": {"secure": f"{HUNTER}-2"},
                "ID": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            }
        },
    }
    backend |= service
    return made


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """The program on that config."""
    return run(config())


def given(recorded: Recorded, kind: str, name: str) -> dict[str, Any]:
    """What the engine was given of a resource, with Pulumi's marks of secrets."""
    made: dict[str, Any] = json_format.MessageToDict(recorded.requests[(kind, name)].object)
    return made


def env(recorded: Recorded, name: str) -> list[dict[str, Any]]:
    """The variables of a version's container."""
    variables: list[dict[str, Any]] = given(recorded, DEPLOYMENT, name)["spec"]["template"]["spec"]["containers"][0][
        "env"
    ]
    return variables


def test_each_version_has_a_secret_of_its_own(recorded: Recorded) -> None:
    """With its service's values or its own, each marked as a secret for Pulumi's state and output, and all else in the
    clear.
    """
    for version, value in (("v1", HUNTER), ("v2", f"{HUNTER}-2")):
        made = given(recorded, SECRET, f"backend-{version}")
        assert made["stringData"] == {MARK: "1b47061264138c4ac30d75fd1eb44270", "value": {"TOKEN": value}}
        assert (made["type"], made["immutable"]) == ("Opaque", True)


def test_pods_take_it_from_there(recorded: Recorded) -> None:
    """By the name that the Secret has in the end; other variables are as they were written."""
    assert [entry["name"] for entry in env(recorded, "backend-v2")] == ["LOG", "TOKEN", "ID"]
    assert env(recorded, "backend-v2")[0] == {"name": "LOG", "value": "info"}
    assert env(recorded, "backend-v2")[1]["valueFrom"]["secretKeyRef"] == {
        "name": "backend-v2-1a2b3c4d",
        "key": "TOKEN",
    }
    assert env(recorded, "backend-v2")[2] == {"name": "ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


def test_its_deployment_says_what_it_was_encrypted_to(recorded: Recorded) -> None:
    """By a digest, the same that commands have which only see the stack file: so they tell a secret that has changed
    since, and decrypt none.
    """
    wanted = mesh(load(opaque(encrypted(config()))), "demo").services["backend"].versions
    for version, objects in wanted.items():
        assert objects.deployment is not None
        found = objects.deployment["metadata"]["annotations"]["weir.dev/sealed"]
        assert given(recorded, DEPLOYMENT, f"backend-{version}")["metadata"]["annotations"]["weir.dev/sealed"] == found
    # Of a file that does not have it nothing is said.
    other = run(config(env={"LOG": "info"}, versions={"v1": {}, "v2": {}}))
    assert "weir.dev/sealed" not in given(other, DEPLOYMENT, "backend-v1")["metadata"]["annotations"]


def test_a_secret_comes_before_its_pods(recorded: Recorded) -> None:
    """Pods cannot start without it; for the same reason one that they no longer need goes after them."""
    assert any(
        "core/v1:Secret::backend-v1" in urn for urn in recorded.requests[(DEPLOYMENT, "backend-v1")].dependencies
    )


def test_its_name_is_generated_and_it_is_the_stacks(recorded: Recorded) -> None:
    """A name of its own for each content makes pods roll and tells nothing; labels and owner are those of all of
    weir's objects.
    """
    metadata = given(recorded, SECRET, "backend-v1")["metadata"]
    assert "name" not in metadata
    assert (metadata["namespace"], metadata["labels"]) == (
        "demo",
        {"app": "backend", "version": "v1", "app.kubernetes.io/managed-by": "weir"},
    )
    assert metadata["annotations"]["weir.dev/stack"].endswith("/weir/dev")


def test_nothing_else_has_it(recorded: Recorded) -> None:
    """No other resource is given the value, in whatever form."""
    others = {
        key: json_format.MessageToJson(request.object) for key, request in recorded.requests.items() if key[0] != SECRET
    }
    assert len(others) > 10
    assert not [key for key, text in others.items() if HUNTER in text]


def test_without_a_secret_there_is_none() -> None:
    """A plain environment stays in the Deployment."""
    made = run(config(env={"LOG": "info"}, versions={"v1": {}, "v2": {}}))
    assert not [key for key in made.resources if key[0] == SECRET]
    assert env(made, "backend-v1") == [{"name": "LOG", "value": "info"}]


@pytest.mark.parametrize(
    "broken",
    [
        {"replicas": "many"},
        {"stable": {"secure": HUNTER}},
        {"image": {"secure": f"{HUNTER}:1"}},
        {"nokey": {"secure": HUNTER}},
    ],
)
def test_an_error_does_not_tell_it(broken: dict[str, Any]) -> None:
    """Whatever is refused beside it, or is a secret where none may be, no message has the value."""
    with pytest.raises(pulumi.RunError) as refused:
        run(config(**broken))
    assert HUNTER not in str(refused.value)
    assert "weir:services.backend." in str(refused.value)


def test_a_whole_key_is_no_value(tmp_path: Path) -> None:
    """A key that was encrypted as a whole is refused, whatever it holds: nobody without the key could say what is in
    it.
    """
    with pytest.raises(pulumi.RunError) as refused:
        run({**SOUND, "services": {"secure": f'{{"backend": {{"image": "{HUNTER}"}}}}'}})
    assert str(refused.value).splitlines()[0].startswith("weir:services: must not be a secret: ")
    assert HUNTER not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "config: {weir:namespace: demo}", "{", "config:\n  weir:services: {backend: {env: {TOKEN: other}}}"]
)
def test_a_file_that_is_another_one_reveals_nothing(text: str, tmp_path: Path) -> None:
    """What the file does not have in the clear is a secret: with another file, or none, the image is one too, and is
    refused.
    """
    file = tmp_path / "Pulumi.dev.yaml"
    if text:
        file.write_text(text)
    with pytest.raises(pulumi.RunError) as refused:
        run(config(versions={"v1": {}}, canary={}, stable="v1"), file=file)
    lines = str(refused.value).splitlines()
    assert any(line.startswith("weir:services.backend.image: must not be a secret: ") for line in lines)
    assert lines[-1] == (
        f"weir:services: values that {file} does not have in plain text count as secrets; to read another stack file, "
        "set WEIR_STACK_FILE"
    )
    assert HUNTER not in str(refused.value)
    assert SOUND["services"]["backend"]["image"] not in str(refused.value)


def test_a_variable_that_the_file_has_otherwise_is_taken_for_a_secret(tmp_path: Path) -> None:
    """Of an ESC environment, or edited since: rather a secret too many than one too few."""
    file = tmp_path / "Pulumi.dev.yaml"
    written = config()
    written["services"]["backend"]["env"] = {"TOKEN": {"secure": "v1:a"}}
    file.write_text(yaml_writer.dump([{"config": {f"weir:{key}": value for key, value in written.items()}}]))
    made = run(config(), file=file)
    assert set(given(made, SECRET, "backend-v1")["stringData"]["value"]) == {"TOKEN", "LOG"}
