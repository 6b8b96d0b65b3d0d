"""The command line as a process: exit codes, messages on stderr, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from weir.cli import COMMANDS

CHECKOUT = Path(__file__).resolve().parents[3]
WEIR = Path(sys.executable).with_name("weir")


def weir(*arguments: str, cwd: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(WEIR), *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The message of a refusal, which is exit code 2, and no traceback."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    return result.stderr


def test_the_dev_stack_is_sound() -> None:
    """The stack file in the checkout passes its own check."""
    result = weir("check")
    assert result.returncode == 0, result.stderr
    assert "sound" in result.stdout


def test_render_is_the_same_every_time_and_needs_nothing() -> None:
    """Two renders of the dev stack are equal, and hold the tutorial's objects."""
    first, second = weir("render"), weir("render")
    assert first.returncode == 0
    assert first.stdout == second.stdout
    for line in ("kind: VirtualService", "kind: DestinationRule", "name: backend-v2", "weight: 80", "weight: 20"):
        assert line in first.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: [unclosed", "is not valid YAML"),
        ("nothing: here", "has no config"),
        (
            (
                "config:\n  weir:services: {backend: {image: a, port: 80, versions: {v1: {}, v2: {}}, stable: v1, "
                "canary: {v2: 130}}}\n"
            ),
            "canary",
        ),
        ("config:\n  weir:namespace: demo\n  weir:servces: {}\n", "weir:servces: unknown key, did you mean services?"),
    ],
)
@pytest.mark.parametrize("command", ["check", "render"])
def test_a_bad_stack_file_is_refused(tmp_path: Path, command: str, text: str, message: str) -> None:
    """A file that is not valid YAML, has no config, or a wrong one, ends with exit code 2 and the reason."""
    file = tmp_path / "Pulumi.bad.yaml"
    file.write_text(text)
    assert message in refused(weir(command, "--file", str(file)))


def test_an_unknown_stack_names_those_there_are() -> None:
    """A mistyped stack name is answered with the names that exist."""
    assert "dev" in refused(weir("check", "--stack", "devv"))


def test_check_speaks_json(tmp_path: Path) -> None:
    """For programs the problems come as data, with the same exit code."""
    file = tmp_path / "Pulumi.bad.yaml"
    file.write_text("config:\n  weir:servces: {}\n")
    result = weir("check", "--file", str(file), "--json")
    assert result.returncode == 2
    problem = {"path": "weir:servces", "message": "unknown key, did you mean services?", "place": f"{file}:2:3"}
    assert problem in json.loads(result.stdout)["problems"]


def test_one_of_a_thing_is_one() -> None:
    """Not "1 clients"."""
    assert weir("check").stdout.strip().endswith("sound; 1 service, 2 versions, 1 client")


def test_what_a_promotion_writes_is_not_warned_of(tmp_path: Path) -> None:
    """The version before stays in the file by name, at 0 %, for as long as it is there to go back to: `weir check` has
    nothing to say of that.
    """
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (tmp_path / name).write_text((CHECKOUT / name).read_text())
    promoted = weir("promote", "backend", "v2", "--no-apply", "--stack", "dev", cwd=tmp_path)
    assert promoted.returncode == 0, promoted.stderr
    text = (tmp_path / "Pulumi.dev.yaml").read_text()
    assert "stable: v2 " in text
    assert "canary: {v1: 0} " in text
    checked = weir("check", "--strict", "--stack", "dev", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_an_unknown_command_is_a_usage_error() -> None:
    """A word that is no command is said to be none."""
    assert "No such command" in refused(weir("verfy"))


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help_and_is_documented(command: str) -> None:
    """Each command of the table can be asked for its help, and the reference tells of it."""
    assert weir(command, "--help").returncode == 0
    assert f"`weir {command}" in (CHECKOUT / "docs" / "reference" / "commands.md").read_text()


def test_every_test_file_is_collected() -> None:
    """A file of tests that pytest does not find would pass for ever."""
    for path in (CHECKOUT / "tests").rglob("*.py"):
        if "def test_" in path.read_text():
            assert path.name.startswith("test_"), path
            assert (path.parent / "__init__.py").exists(), path
