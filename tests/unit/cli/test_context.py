"""What a command knows of its stack: found out when it is asked for, once, and nothing imported that the answer does
not take.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from weir.cli.context import Context
from weir.engine.errors import EngineError
from weir.errors import UsageError
from weir.model import ConfigError
from weir.stack.stackfile import StackFileError

SERVICES = "  weir:services:\n    backend: {image: 'app:1', versions: {v1: {}}, stable: v1}\n"
STACK = "config:\n  weir:namespace: demo\n  weir:kubeconfig: lab/config\n  weir:kubeContext: lab\n" + SERVICES
EPHEMERAL = "config:\n  weir:namespace: demo\n  weir:ephemeral: true\n" + SERVICES


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one stack, seen from a directory below it, and a pulumi and a kubectl that say nothing."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "config").write_text("{}")
    monkeypatch.chdir(tmp_path / "lab")
    monkeypatch.setenv("WEIR_TOOL_KUBECTL", "true")
    monkeypatch.setenv("WEIR_TOOL_PULUMI", "false")
    return tmp_path


def test_a_context_has_all_that_a_command_needs(project: Path) -> None:
    """By the stack's name alone, as people or as Pulumi write it, from below the project."""
    for name in ("dev", "organization/weir/dev"):
        context = Context(name)
        assert (context.project, context.path) == (project, project / "Pulumi.dev.yaml")
        assert (context.config.namespace, context.namespace) == ("demo", "demo")
        assert list(context.service("backend").versions) == ["v1"]
        kubectl = context.kubectl
        assert (kubectl.namespace, kubectl.kubeconfig, kubectl.context) == (
            "demo",
            str(project / "lab" / "config"),
            "lab",
        )
        assert (context.engine.name, context.engine.project) == (name, project)


def test_a_file_and_a_namespace_win(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """--file names another project as well: a kubeconfig is relative to it. --namespace is the
    one that kubectl gets.
    """
    other = tmp_path_factory.mktemp("other")
    (other / "prod.yaml").write_text(STACK.replace("demo", "prod").replace("lab/config", "config"))
    (other / "config").write_text("{}")
    context = Context("dev", other / "prod.yaml", given_namespace="beside")
    assert (context.project, context.config.namespace, context.namespace) == (other, "prod", "beside")
    assert (context.kubectl.namespace, context.kubectl.kubeconfig) == ("beside", str(other / "config"))


def test_nothing_is_asked_before_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a project a context can be made; what takes one says so."""
    monkeypatch.chdir(tmp_path)
    context = Context("dev")
    with pytest.raises(StackFileError, match=r"no Pulumi\.yaml in"):
        _ = context.config


def test_a_config_is_read_once(project: Path) -> None:
    """What changes in the file meanwhile is not mixed in; a command that wants it says so."""
    context = Context("dev")
    assert context.config.namespace == "demo"
    context.path.write_text(STACK.replace("demo", "later"))
    assert (context.config.namespace, context.kubectl.namespace) == ("demo", "demo")
    assert (context.anew().config.namespace, context.anew().kubectl.namespace) == ("later", "later")
    assert context.saying(STACK.replace("demo", "shown")).kubectl.namespace == "shown"
    assert context.path.read_text() == STACK.replace("demo", "later")


def test_errors_of_a_config_have_their_place(project: Path) -> None:
    """In the file as it is, and in a text that is to be written to it; a service that is not there is answered with
    those that are.
    """
    context = Context("dev")
    with pytest.raises(ConfigError, match=r"Pulumi\.dev\.yaml:2:3"):
        _ = context.saying(STACK.replace("weir:namespace", "weir:namespce")).config
    with pytest.raises(UsageError, match=r"web is not a service of this stack \(services: backend\)"):
        context.service("web")


def test_an_ephemeral_namespace_is_pulumis_to_tell(project: Path) -> None:
    """Where Pulumi does not know it the message says what to do; with --namespace it is not asked."""
    with pytest.raises(EngineError, match="or name it with --namespace"):
        _ = Context("dev", text=EPHEMERAL).kubectl
    assert Context("dev", text=EPHEMERAL, given_namespace="demo-1").kubectl.namespace == "demo-1"


def test_a_stack_file_is_read_without_the_model(project: Path) -> None:
    """Model, engine and rich are imported by the question that needs them."""
    code = (
        "import sys; from weir.cli.context import Context; context = Context('dev'); context.stack_file; "
        "print('HEAVY', sorted({'pulumi', 'pydantic', 'rich', 'weir.model', "
        "'weir.engine.stack'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "HEAVY []\n"
