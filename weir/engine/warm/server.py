"""The process that serves a project's program to the engine: `python -m weir.engine.warm.server PROJECT`.

It runs the project's own `__main__.py`, as a language host would, and imports what that imports before anybody asks.
On stdout stands the address first, or nothing where the system does not say who asks: only the process that has
started this one and those that it started itself, such as the engine, are answered. An empty line on stdin is a
question, how many updates (not previews) the program has been run for; any other is an order, as JSON: `ask`, the
cluster and namespace that the next run will ask about, to read them at once; `environment`, what the program is to
find in its environment; `may`, whether rules that are held may be written; `keep`, the provider's plugin to have run
and to answer for at the same address, answered by whether it runs. It ends when stdin does, which is when whoever
started it ends, however that comes about.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import runpy
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from weir import garbage, program_environment
from weir.cluster.kubectl import Kubectl
from weir.cluster.live import look_ahead
from weir.engine.warm.peers import Peers, can_tell
from weir.engine.warm.provider import SERVICE, KeptProvider
from weir.orphans import end_plugins_with

_LOAD_SECONDS = 60.0
_FINISH_SECONDS = 5.0
# One is the program's for as long as it runs, a provider has one for each rule that is written at once, and needs one
# more to be told to cancel.
_WORKERS = 128
_NOTHING_TO_SAY = ("About", "GetRequiredPackages", "GetRequiredPlugins")
"""Questions to which an empty answer is right (the state names the plugins). The engine waits for it before it does
anything else.
"""


class Program:
    """What the engine asks about a program, answered. `updates`: for how many updates it was run; `loaded`: once its
    imports are done, or have failed.
    """

    def __init__(self, file: Path) -> None:
        self.updates = 0
        self._file = file
        self.loaded = threading.Event()
        self._methods: Any = None
        self._failure = f"{file}: was not loaded within {_LOAD_SECONDS:.0f} s"

    def load(self) -> None:
        """Import what answers, and what the program imports. The engine waits for it when it has the program run."""
        try:
            with garbage.kept():
                self._load()
        except Exception as error:  # noqa: BLE001 - whatever the program's imports raise is for the engine to say
            self._failure = f"{self._file}: {type(error).__name__}: {error}"
            self._methods = None
        finally:
            self.loaded.set()

    def _load(self) -> None:
        # Private to the SDK, and pinned with it: what the Automation API offers starts the CLI four times for one
        # update.
        import pulumi
        from pulumi.automation._server import LanguageServer
        from pulumi.runtime.proto.language_pb2_grpc import add_LanguageRuntimeServicer_to_server

        # A question and an answer each, some 130 of them for a small stack, which the engine throws away: nobody asks
        # it for --debug here.
        pulumi.log.debug = _nobody_listens
        program = self

        class Servicer(LanguageServer):
            def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
                program.updates += not request.dryRun
                return super().Run(request, context)  # type: ignore[no-untyped-call]

        add_LanguageRuntimeServicer_to_server(Servicer(self._run), _Registry(self))
        for name in imported(self._file):
            importlib.import_module(name)

    def take(self, methods: Any) -> None:
        """Keep how each question of the engine is answered."""
        self._methods = methods

    def answer(self, details: Any, request: bytes, context: Any, engine: int) -> bytes:
        """Answer one question of the engine, given and returned as it is on the wire. `engine`: its process."""
        if details.method.rpartition("/")[2] in _NOTHING_TO_SAY:
            return b""
        self.loaded.wait(_LOAD_SECONDS)
        if self._methods is None:
            context.abort(grpc.StatusCode.INTERNAL, self._failure)
        method = self._methods.service(details)
        asked = method.request_deserializer(request)
        if details.method.endswith("/Run") and asked.args:
            end_plugins_with(engine, asked.args[0])
        answer: bytes = method.response_serializer(method.unary_unary(asked, context))
        return answer

    def _run(self) -> None:
        runpy.run_path(str(self._file), run_name="__main__")


class _Registry:
    """What the generated code takes for a server: it only hands over the methods."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def add_generic_rpc_handlers(self, handlers: tuple[Any, ...]) -> None:
        self._program.take(handlers[0])

    def add_registered_method_handlers(self, service: str, methods: Any) -> None:
        """Of no use here: the handlers above know the same methods."""


def _nobody_listens(*_message: Any, **_about: Any) -> None:
    """In the place of the SDK's `log.debug`."""


def imported(file: Path) -> list[str]:
    """The modules that a program imports at its top."""
    found: list[str] = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name != "__future__"]


def listen(program: Program, provider: KeptProvider, peers: Peers) -> tuple[Any, str]:
    """Serve both, for these peers alone, at one address; they can be asked at once. Returns the server, which ends
    when nobody holds it, and the address.
    """

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            def answer(request: bytes, context: Any) -> bytes:
                engine = peers.find(context.peer(), port)
                if not engine:
                    context.abort(
                        grpc.StatusCode.PERMISSION_DENIED, "only the engine that weir has started is answered here"
                    )
                if details.method.startswith(SERVICE):
                    # What it imports for that is imported there as well: two threads that do so at once get in each
                    # other's way.
                    program.loaded.wait(_LOAD_SECONDS)
                    return provider.answer(details.method, request, context)
                return program.answer(details, request, context, engine)

            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(
        ThreadPoolExecutor(_WORKERS), options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
    )
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}" if can_tell(port) else ""


def main() -> None:
    """Serve until stdin ends."""
    project = Path(sys.argv[1])
    # What Python does for a script: its directory comes first on the path; a language host makes it the working
    # directory too.
    os.chdir(project)
    sys.path.insert(0, str(project))
    # What the program prints is for people, and stdout has its own use here.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    program = Program(project / "__main__.py")
    provider = KeptProvider()
    _server, address = listen(program, provider, Peers(os.getppid()))
    print(address, file=answers)
    threading.Thread(target=program.load, daemon=True).start()
    for line in sys.stdin:
        order = json.loads(line) if line.strip() else {}
        if "ask" in order:
            look_ahead(Kubectl(**order["ask"]))
        elif "environment" in order:
            program_environment.give(order["environment"])
        elif "may" in order:
            program_environment.let(order["may"])
        elif "keep" in order:
            print(json.dumps(provider.start(order["keep"])), file=answers)
        else:
            print(program.updates, file=answers)
    provider.finish(_FINISH_SECONDS)
    # At once: there is nobody left to whom the threads of an unfinished update could be of use.
    os._exit(0)


if __name__ == "__main__":
    main()
