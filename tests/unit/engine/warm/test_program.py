"""The project's program, served to the engine: what it asks is answered once the program's imports are there, or with
what keeps them from it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2
from pulumi.runtime.proto.language_pb2_grpc import LanguageRuntimeStub

from tests.live.harness import until
from weir.engine.warm.program import ProgramServer, can_serve
from weir.engine.warm.server import imported
from weir.processes import alive


def project(directory: Path, program: str, environment: str = ".venv") -> Path:
    """A project with this program, whose virtual environment is this one."""
    (directory / "Pulumi.yaml").write_text(
        f"name: weir\nruntime: {{name: python, options: {{virtualenv: {environment}}}}}\n"
    )
    (directory / "__main__.py").write_text(program)
    (directory / ".venv").symlink_to(sys.prefix)
    return directory


@contextmanager
def served(directory: Path, program: str) -> Iterator[tuple[ProgramServer, LanguageRuntimeStub]]:
    """The program, served, and who asks about it."""
    server = ProgramServer(project(directory, program))
    try:
        with grpc.insecure_channel(server.address) as channel:
            yield server, LanguageRuntimeStub(channel)
    finally:
        server.close()


def asked(stub: LanguageRuntimeStub) -> None:
    """A question of the engine that waits for the program to be loaded."""
    stub.GetPluginInfo(empty_pb2.Empty(), timeout=30)


def test_the_program_is_loaded_as_a_script_of_its_project(tmp_path: Path) -> None:
    """The project is the working directory and first on the path; what the program prints does not get between the
    answers.
    """
    (tmp_path / "beside.py").write_text("from pathlib import Path\nprint('loaded')\nPath('here').touch()\n")
    with served(tmp_path, "import beside\n") as (server, stub):
        asked(stub)
        assert (tmp_path / "here").exists()
        assert server.updates() == 0


def test_what_needs_no_program_is_answered_at_once(tmp_path: Path) -> None:
    """The engine asks about the program before it reads the state: it need not wait for imports meanwhile."""
    (tmp_path / "beside.py").write_text("import threading\nthreading.Event().wait()\n")
    with served(tmp_path, "import beside\n") as (_, stub):
        assert stub.About(language_pb2.AboutRequest(), timeout=30).version == ""
        assert not stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(), timeout=30).packages


def test_what_keeps_a_program_from_loading_is_said(tmp_path: Path) -> None:
    """A program whose imports fail does not keep the engine waiting: the answer names the file and the reason."""
    with served(tmp_path, "import nowhere_to_be_found\n") as (_, stub), pytest.raises(grpc.RpcError) as failed:
        asked(stub)
    assert "__main__.py: ModuleNotFoundError: No module named 'nowhere_to_be_found'" in str(failed.value)


def test_a_server_that_is_gone_knows_nothing(tmp_path: Path) -> None:
    """Nobody takes its silence for the answer that nothing was updated; and no address is given that nobody listens
    at.
    """
    with served(tmp_path, "") as (server, _):
        os.kill(server.pid, signal.SIGKILL)
        until(lambda: not server.address, 10, "the server is gone")
        assert server.updates() is None


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Killed, that one cannot tell it to: it hears that nobody is there any more."""
    project(tmp_path, "")
    starting = (
        "import signal, sys; from pathlib import Path; from weir.engine.warm.program import ProgramServer;"
        " server = ProgramServer(Path(sys.argv[1])); print(server.pid, server.address, flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starting, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline().split()[0])
        starter.kill()
    until(lambda: not alive(pid), 10, "the server ended")


_LISTENING = """
import sys, threading, time
from pathlib import Path
from weir.program_environment import variable

sys.addaudithook(lambda event, args: event in ("os.putenv", "os.unsetenv") and Path("changed").touch())

def listen():
    for wanted in ("yes", "", "again"):
        while variable("WEIR_GIVEN") != wanted:
            time.sleep(0.02)
        Path("heard-" + wanted).touch()

threading.Thread(target=listen, daemon=True).start()
"""


def test_what_a_program_is_given_changes_no_environment(tmp_path: Path) -> None:
    """It finds what was given last, and nothing from before. A process that another thread starts meanwhile would
    fail: setenv moves what execv reads.
    """
    (tmp_path / "beside.py").write_text(_LISTENING)
    with served(tmp_path, "import beside\n") as (server, stub):
        asked(stub)
        for text in ("yes", "", "again"):
            server.give({"WEIR_GIVEN": text} if text else {"WEIR_OTHER": "yes"})
            until((tmp_path / f"heard-{text}").exists, 10, "the program has it")
        assert not (tmp_path / "changed").exists()


def test_only_this_python_serves(tmp_path: Path) -> None:
    """Where the project names another environment, or none, a language host has to run the program."""
    assert can_serve(project(tmp_path, ""))
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: {name: python, options: {virtualenv: other}}\n")
    assert not can_serve(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    assert not can_serve(tmp_path)


def test_what_a_program_imports_is_read_from_its_top(tmp_path: Path) -> None:
    """Modules by both forms of import; what is imported inside of functions is not needed at the start."""
    (tmp_path / "__main__.py").write_text(
        "from __future__ import annotations\nimport os, json as j\nfrom weir.model import load\ndef f():\n    "
        "import "
        "re\n"
    )
    assert imported(tmp_path / "__main__.py") == ["os", "json", "weir.model"]
