"""Nobody else drives it: whoever is not the engine that weir has started is refused, whatever is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pulumi.runtime.proto import language_pb2, provider_pb2

from tests.unit.engine.warm.test_program import project
from tests.unit.engine.warm.test_provider import PLUGIN

NOBODY = 65534
METHODS = [
    f"/{service.full_name}/{method.name}"
    for service in (
        language_pb2.DESCRIPTOR.services_by_name["LanguageRuntime"],
        provider_pb2.DESCRIPTOR.services_by_name["ResourceProvider"],
    )
    for method in service.methods
]
"""All that an engine can ask, as Pulumi's protocol has it."""

# Starts the server as weir does, with a provider that is kept, and says where it listens; with a method it asks that
# itself.
WEIR = """
import sys
from pathlib import Path
import grpc
from weir.engine.warm.program import ProgramServer
server = ProgramServer(Path(sys.argv[1]))
print(server.address, server.keep(Path(sys.argv[2])), flush=True)
for method in sys.stdin:
    with grpc.insecure_channel(server.address) as channel:
        try:
            print(len(channel.unary_unary(method.strip())(b"", timeout=30)), flush=True)
        except grpc.RpcError as error:
            print(error.code().name, flush=True)
"""
# Asks every method, as the user that it is told to be, and prints the codes.
ASKING = """
import json, os, sys
import grpc
# Imported before the files of this environment can be read no longer.
from grpc import _channel
address, user, methods = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
if user != os.getuid():
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
codes = {}
with grpc.insecure_channel(address) as channel:
    for method in methods:
        try:
            channel.unary_unary(method)(b"", timeout=30)
            codes[method] = "OK"
        except grpc.RpcError as error:
            codes[method] = error.code().name
print(json.dumps(codes))
"""


@contextmanager
def weir(directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that has started the server, and the server's address."""
    project(directory, "from pathlib import Path\nPath('ran').touch()\n")
    plugin = directory / "plugin"
    plugin.write_text(PLUGIN.format(python=sys.executable))
    plugin.chmod(0o755)
    command = [sys.executable, "-c", WEIR, str(directory), str(plugin)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address, kept = process.stdout.readline().split()
        assert kept == "True"
        yield process, address
        process.stdin.close()


def codes(address: str, user: int) -> dict[str, str]:
    """What every method is answered with, asked by a process of this user that weir has not started."""
    done = subprocess.run(
        [sys.executable, "-c", ASKING, address, str(user), json.dumps(METHODS)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "user",
    [
        os.getuid(),
        pytest.param(NOBODY, marks=pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")),
    ],
)
def test_whoever_weir_has_not_started_is_refused(tmp_path: Path, user: int) -> None:
    """For every method of a program and of a provider, by another user and by the same one: nothing is run."""
    with weir(tmp_path) as (_, address):
        assert len(METHODS) > 20
        assert codes(address, user) == dict.fromkeys(METHODS, "PERMISSION_DENIED")
    assert not (tmp_path / "ran").exists()


def test_what_weir_has_started_is_answered(tmp_path: Path) -> None:
    """The same server answers at the same time whoever belongs to weir, the program's questions and the provider's."""
    with weir(tmp_path) as (process, address):
        assert set(codes(address, os.getuid()).values()) == {"PERMISSION_DENIED"}
        assert process.stdin is not None
        assert process.stdout is not None
        for method in ("/pulumirpc.LanguageRuntime/GetPluginInfo", "/pulumirpc.ResourceProvider/GetPluginInfo"):
            print(method, file=process.stdin, flush=True)
            assert process.stdout.readline().strip().isdecimal()
