"""Commands that need no value of a secret take it for one, and say nothing of it, not even what it was encrypted to."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from click.testing import CliRunner

STACK = """\
config:
  weir:namespace: demo
  weir:services:
    backend:
      image: app:1
      env:
        LOG: info
        TOKEN:
          secure: v1:4dFpX:ciphertext
      versions: {v1: {}, v2: {env: {OTHER: {secure: "v1:5eGqY:ciphertext"}}}}
      stable: v1
      canary: {v2: 20}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a stack that has secrets, and no cluster, engine or key."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path


def weir(command: str) -> str:
    """What a command prints; it must end well."""
    name, *arguments = command.split()
    done = CliRunner().invoke(importlib.import_module(f"weir.cli.{name}").command, [*arguments, "--stack", "dev"])
    assert done.exit_code == 0, done.output
    assert "ciphertext" not in done.output
    return done.output


@pytest.mark.parametrize("command", ["check", "check --json", "rbac"])
def test_they_work(project: Path, command: str) -> None:
    """With a file whose secrets nobody can read."""
    assert weir(command)


def test_render_shows_where_it_goes(project: Path) -> None:
    """A Secret of each version with the names of its own and its service's, and the places that take them."""
    secrets = [part for part in weir("render").split("---\n") if "kind: Secret\n" in part]
    assert [part.split("stringData:\n")[1] for part in secrets] == [
        "  TOKEN: '[secret]'\n",
        "  TOKEN: '[secret]'\n  OTHER: '[secret]'\n",
    ]
    [first, second] = [part for part in weir("render").split("---\n") if "kind: Deployment\n" in part]
    assert (
        "name: TOKEN\n          valueFrom:\n            secretKeyRef:\n              name: backend-v1\n              "
        "key: TOKEN\n"
    ) in first
    assert (
        "name: OTHER\n          valueFrom:\n            secretKeyRef:\n              name: backend-v2\n              "
        "key: OTHER\n"
    ) in second


@pytest.mark.parametrize(
    ("command", "canary"),
    [("set backend v2=50 --no-apply", "{v2: 50}"), ("abort backend --no-apply", "{v2: 0}")],
    ids=["set", "abort"],
)
def test_an_edit_leaves_it_as_it_is(project: Path, command: str, canary: str) -> None:
    """The share alone changes in the file."""
    weir(command)
    assert (project / "Pulumi.dev.yaml").read_text() == STACK.replace("{v2: 20}", canary)
