"""The manifests of the dev stack, whole, and how commands end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from lab.errors import LabError
from weir import cli
from weir.cli.render import text
from weir.errors import UsageError, VerdictError, WeirError
from weir.model import load, mesh
from weir.stack import stackfile

CHECKOUT = Path(__file__).resolve().parents[3]
SAMPLE = Path(__file__).parent / "samples" / "dev.yaml"


def rendered(config: Mapping[str, Any]) -> str:
    """What `weir render` prints of a config."""
    checked = load(config)
    return text(mesh(checked, checked.namespace))


def test_the_dev_stack_renders_as_reviewed() -> None:
    """Every object, field by field. When a change is meant: `weir render > tests/unit/cli/samples/dev.yaml`, and read
    the diff.
    """
    assert rendered(stackfile.read(CHECKOUT / "Pulumi.dev.yaml").config) == SAMPLE.read_text()


def test_text_stays_text() -> None:
    """Versions, arguments and variables that look like numbers or booleans are read back as text, and nothing is an
    alias of another.
    """
    service: dict[str, Any] = {
        "image": "app:1",
        "args": ["8080", "yes", "null"],
        "env": {"ON": "true"},
        "versions": {"1": {}},
        "stable": "1",
    }
    config: dict[str, Any] = {"namespace": "demo", "services": {"a": service}}
    printed = rendered(config)
    assert list(YAML(typ="safe").load_all(printed)) == list(mesh(load(config), "demo").objects())
    assert "&id" not in printed


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (WeirError("it failed"), 1, "it failed\n"),
        (UsageError("not like that"), 2, "not like that\n"),
        (VerdictError("traffic differs"), 3, "traffic differs\n"),
        (LabError("no lab"), 1, "no lab\n"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit codes are a contract; the message is all that is on stderr."""

    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(cli._Commands, "get_command", lambda self, ctx, name: failing)
    monkeypatch.setattr(sys, "argv", ["weir", "check"])
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    assert ended.value.code == code
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_help_imports_nothing_heavy() -> None:
    """`weir --help` names every command without the engine, the model or a provider."""
    code = (
        "import sys; from click.testing import CliRunner; from weir.cli import cli; out = CliRunner().invoke(cli, "
        "['--help']).output;print(out); print('HEAVY', sorted({'pulumi', 'pydantic', 'rich', 'ruamel.yaml', "
        "'weir.model'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True
    )
    assert "HEAVY []" in done.stdout
    for command in cli.COMMANDS:
        assert f"  {command} " in done.stdout
