"""A provider that is kept: asked through weir's server it answers as by itself, and it is of use for one update after
the other.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from tests.live.harness import until
from tests.unit.engine.warm.test_program import project
from weir.engine.warm import program
from weir.engine.warm.program import ProgramServer, plugin_to_keep
from weir.processes import alive

NOTHING = empty_pb2.Empty()

# A provider as the engine would start it: its version is its process; a deletion lasts until it is told to cancel, or
# until `done` is there.
PLUGIN = """#!{python}
import os, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer, add_ResourceProviderServicer_to_server

cancelled = threading.Event()

class Provider(ResourceProviderServicer):
    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version=str(os.getpid()))
    def Configure(self, request, context):
        return provider_pb2.ConfigureResponse(acceptSecrets=True)
    def Create(self, request, context):
        context.set_trailing_metadata((("grpc-status-details-bin", b"details"),))
        context.abort(grpc.StatusCode.UNKNOWN, "half of it was made")
    def Delete(self, request, context):
        Path("deleting").touch()
        while not cancelled.wait(0.01) and not Path("done").exists():
            pass
        return empty_pb2.Empty()
    def Cancel(self, request, context):
        cancelled.set()
        return empty_pb2.Empty()

server = grpc.server(ThreadPoolExecutor(4))
add_ResourceProviderServicer_to_server(Provider(), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
"""


class Kept:
    """A project whose server keeps a provider, and who asks it as the engine does."""

    def __init__(self, directory: Path, text: str = PLUGIN) -> None:
        self.directory = project(directory, "")
        self.plugin = directory / "plugin"
        self.plugin.write_text(text.format(python=sys.executable))
        self.plugin.chmod(0o755)
        self.server = ProgramServer(directory)
        self.channel = grpc.insecure_channel(self.server.address)
        self.stub = ResourceProviderStub(self.channel)
        self.kept = self.server.keep(self.plugin)

    def pid(self) -> int:
        """The provider's process."""
        return int(self.stub.GetPluginInfo(NOTHING, timeout=30).version)

    def configure(self, **variables: str) -> bool:
        """Configure it; whether it was the provider that answered."""
        return bool(self.stub.Configure(provider_pb2.ConfigureRequest(variables=variables), timeout=30).acceptSecrets)

    def close(self) -> None:
        """End it all."""
        self.channel.close()
        self.server.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """One, closed in the end."""
    found = Kept(tmp_path)
    assert found.kept
    yield found
    found.close()


def test_the_end_of_an_update_is_not_its_end(kept: Kept) -> None:
    """Cancelled with nothing under way, as the engine cancels whatever it lets go, the same process serves the next
    update, with the same settings.
    """
    pid = kept.pid()
    assert kept.configure(context="a", namespace="b")
    kept.stub.Cancel(NOTHING, timeout=30)
    assert kept.server.keep(kept.plugin)
    assert kept.pid() == pid
    assert kept.configure(namespace="b", context="a")


def test_what_is_under_way_is_cancelled(kept: Kept) -> None:
    """Ctrl-C reaches what waits in the provider, which is then of no use for another update: that one has a new
    process.
    """
    pid = kept.pid()
    with ThreadPoolExecutor(1) as aside:
        deletion = aside.submit(kept.stub.Delete, provider_pb2.DeleteRequest(), timeout=30)
        until(lambda: (kept.directory / "deleting").exists(), 30, "the deletion is under way")
        kept.stub.Cancel(NOTHING, timeout=30)
        deletion.result()
    assert kept.server.keep(kept.plugin)
    assert kept.pid() != pid
    assert not alive(pid)


def test_one_process_is_for_one_cluster(kept: Kept) -> None:
    """Two configurations would send what is meant for the one cluster to the other."""
    assert kept.configure(context="a")
    with pytest.raises(grpc.RpcError) as refused:
        kept.configure(context="b")
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "run pulumi up" in refused.value.details()


def test_a_failure_is_handed_on_with_its_details(kept: Kept) -> None:
    """The engine reads there what was made of a resource before it failed."""
    kept.pid()
    with pytest.raises(grpc.RpcError) as failed:
        kept.stub.Create(provider_pb2.CreateRequest(), timeout=30)
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.UNKNOWN, "half of it was made")
    assert ("grpc-status-details-bin", b"details") in failed.value.trailing_metadata()


def test_one_that_has_ended_is_started_again(kept: Kept) -> None:
    """While it is away the engine hears so; the next update has one."""
    pid = kept.pid()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(grpc.RpcError) as gone:
        kept.stub.GetPluginInfo(NOTHING, timeout=30)
    assert gone.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "the provider that weir keeps has ended (exit code -9)" in gone.value.details()
    until(lambda: not alive(pid), 30, "it has ended")
    assert kept.server.keep(kept.plugin)
    assert kept.pid() != pid


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "no program"])
def test_one_that_does_not_start_is_not_kept(tmp_path: Path, text: str) -> None:
    """The engine starts its own then, and says why that does not."""
    with closing(Kept(tmp_path, text)) as refused:
        assert not refused.kept


def test_one_that_cannot_be_closed_to_others_is_not_kept(tmp_path: Path) -> None:
    """Somebody who was faster than weir would be answered as weir is."""
    faster = PLUGIN.replace(
        "server.start()", "import socket; server.start(); other = socket.create_connection(('127.0.0.1', port))"
    ).replace("print(server.add_insecure_port", "port = server.add_insecure_port")
    faster = faster.replace('"127.0.0.1:0"), flush=True)', '"127.0.0.1:0")').replace(
        "server.wait", "print(port, flush=True); server.wait"
    )
    with closing(Kept(tmp_path, faster)) as refused:
        assert not refused.kept


def test_it_takes_no_connection_but_that_of_the_server(kept: Kept) -> None:
    """It answers whoever connects, as every provider of Pulumi's: where it is kept, nobody can, by its own port; the
    engine is answered as before.
    """
    pid = kept.pid()
    assert kept.configure(context="a")
    [port] = listening(pid)
    with socket.socket() as connection:
        connection.settimeout(2)
        with pytest.raises(TimeoutError):
            connection.connect(("127.0.0.1", port))
    assert kept.pid() == pid


def listening(pid: int) -> list[int]:
    """The ports that a process listens at, as `ss` has them."""
    shown = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[3].rpartition(":")[2]) for line in shown.splitlines() if f"pid={pid}," in line]


def test_it_ends_with_the_server_that_keeps_it(kept: Kept) -> None:
    """Killed, that one cannot end it."""
    pid = kept.pid()
    kept.server.close()
    until(lambda: not alive(pid), 30, "the provider ended")


# weir, which has a provider kept, and what it starts as its engine, which outlives it.
WEIR = """
import signal, subprocess, sys
from pathlib import Path
from weir.engine.warm.program import ProgramServer
server = ProgramServer(Path(sys.argv[1]))
assert server.keep(Path(sys.argv[2]))
subprocess.Popen([sys.executable, "-c", sys.argv[3], server.address], cwd=sys.argv[1], stdin=subprocess.DEVNULL)
signal.pause()
"""
ENGINE = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

with grpc.insecure_channel(sys.argv[1]) as channel, ThreadPoolExecutor(1) as aside:
    stub = ResourceProviderStub(channel)
    print(stub.GetPluginInfo(empty_pb2.Empty(), timeout=30).version, flush=True)
    deletion = aside.submit(stub.Delete, provider_pb2.DeleteRequest(), timeout=30)
    while True:
        try:
            stub.GetPluginInfo(empty_pb2.Empty(), timeout=30)
        except grpc.RpcError as error:
            print("given up" if deletion.done() else "under way", error.details(), flush=True)
            break
    Path("done").touch()
    deletion.result()
    print("heard of", flush=True)
"""


def test_what_is_under_way_is_heard_of_when_weir_is_killed(tmp_path: Path) -> None:
    """The engine lives on for a moment and records what became of it; nothing else is begun."""
    project(tmp_path, "")
    plugin = tmp_path / "plugin"
    plugin.write_text(PLUGIN.format(python=sys.executable))
    plugin.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-c", WEIR, str(tmp_path), str(plugin), ENGINE], stdout=subprocess.PIPE, text=True
    ) as weir:
        assert weir.stdout is not None
        pid = int(weir.stdout.readline())
        until(lambda: (tmp_path / "deleting").exists(), 30, "the deletion is under way")
        weir.kill()
        said = weir.stdout.read().splitlines()
    assert said == ["under way weir has ended, and its provider has ended with it", "heard of"]
    until(lambda: not alive(pid), 30, "the provider ended")


def test_only_the_provider_that_the_engine_would_start_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its version in Pulumi's own place; whoever names another one, by any of Pulumi's ways, has that."""
    project(tmp_path, "")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    monkeypatch.setattr("importlib.metadata.version", {"pulumi-kubernetes": "4.5.6"}.__getitem__)
    assert plugin_to_keep(tmp_path) is None
    place = tmp_path / "pulumi" / "plugins" / "resource-kubernetes-v4.5.6"
    place.mkdir(parents=True)
    plugin = place / "pulumi-resource-kubernetes"
    plugin.touch(0o755)
    assert plugin_to_keep(tmp_path) == plugin
    with monkeypatch.context() as attached:
        attached.setenv("PULUMI_DEBUG_PROVIDERS", "random:1234")
        assert plugin_to_keep(tmp_path) is None
    with monkeypatch.context() as ambient:
        ambient.setenv("PATH", f"{place}:{os.environ['PATH']}")
        assert plugin_to_keep(tmp_path) is None
    with monkeypatch.context() as unbound:
        unbound.setattr(program, "until_killed", list)
        assert plugin_to_keep(tmp_path) is None
    settings = (tmp_path / "Pulumi.yaml").read_text()
    (tmp_path / "Pulumi.yaml").write_text(f"{settings}plugins: {{providers: [{{name: kubernetes, path: bin}}]}}\n")
    assert plugin_to_keep(tmp_path) is None
