"""Reading stack files: where they are, and what is said of those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from weir.stack import stackfile
from weir.stack.stackfile import StackFileError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two stacks."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\n")
    for stack in ("dev", "prod"):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(
            f"config:\n  weir:namespace: {stack}\n  aws:region: eu-north-1\n"
        )
    return tmp_path


def test_a_stack_is_found_from_below_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """weir works in any directory of the checkout, with the stack's name as people or as Pulumi write it; other
    namespaces are not ours.
    """
    below = project / "docs" / "guide"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert stackfile.read(stackfile.stack_path("dev", stackfile.project_dir())).config == {"namespace": "dev"}
    assert stackfile.stack_path("organization/weir/prod", stackfile.project_dir()) == project / "Pulumi.prod.yaml"


def test_a_missing_stack_names_those_there_are(project: Path) -> None:
    """The message has the name asked for, the file looked for, and the choice."""
    with pytest.raises(StackFileError) as refused:
        stackfile.stack_path("devv", project)
    assert (
        str(refused.value) == f"no stack devv: {project}/Pulumi.devv.yaml does not exist; the stacks here are dev, prod"
    )
    assert refused.value.exit_code == 2


def test_outside_of_a_project_the_way_in_is_said(tmp_path: Path) -> None:
    """Without a Pulumi.yaml anywhere above, the message names both ways to go on."""
    with pytest.raises(
        StackFileError,
        match=r"no Pulumi\.yaml in .* or above it; change into the checkout of weir, or name a stack file with --file",
    ):
        stackfile.project_dir(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config:\n  weir:services: {a: [1\n", "FILE:3:1: is not valid YAML: "),
        ("config:\n  weir:a: 1\n  weir:a: 2\n", "FILE:3:3: is not valid YAML: found duplicate key"),
        ("config:\n\tweir:a: 1\n", "FILE:2:1: is not valid YAML: found character '\\t' that cannot start any token"),
        ("", "FILE: has no config; it needs a key `config:` with keys such as `weir:services:` below it"),
        ("just text\n", "FILE: has no config; it needs a key `config:` with keys such as `weir:services:` below it"),
        ("config:\n", "FILE: has no config; it needs a key `config:` with keys such as `weir:services:` below it"),
        ("config:\n  services: {}\n", "FILE: config key services has no namespace; write weir:services"),
    ],
)
def test_an_unusable_file_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """The file, line and column where reading fails, and what is expected instead."""
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_text(text)
    with pytest.raises(StackFileError) as refused:
        stackfile.read(path)
    assert str(refused.value).startswith(message.replace("FILE", str(path)))
    assert "\n" not in str(refused.value)


def test_bytes_and_directories_are_no_stack_files(tmp_path: Path) -> None:
    """A wrong path ends as a message as well."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"config: \xff")
    with pytest.raises(StackFileError, match=r"is not text in UTF-8 \(byte 8\)"):
        stackfile.read(binary)
    with pytest.raises(StackFileError, match="cannot be read: Is a directory"):
        stackfile.read(tmp_path)
    with pytest.raises(StackFileError, match="no such file"):
        stackfile.read(tmp_path / "nowhere")


def test_keys_become_text_as_in_pulumis_json(tmp_path: Path) -> None:
    """A version written `2:` is the version "2"."""
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text("config:\n  weir:services: {backend: {versions: {2: {}, true: [{3: 4}]}}}\n")
    assert stackfile.read(path).config == {"services": {"backend": {"versions": {"2": {}, "true": [{"3": 4}]}}}}
