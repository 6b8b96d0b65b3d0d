"""The project's program, served to the engine from this process: no language host to start, no second Python, no second import of the SDKs.

`pulumi up --client=ADDRESS` asks an address for the program, as it asks the Automation API's server for an inline one. This serves the
project's own `__main__.py` there, so that an update does what the one does that somebody types. The server answers at once, and what the
program imports is imported while the CLI starts up; a process that makes several changes imports it once.
"""

from __future__ import annotations

import ast
import importlib
import os
import runpy
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from weir import yamlfile

_LOAD_SECONDS = 60.0
_STOP_SECONDS = 2.0


class Served:
    """A program that is served. `address` is for `--client`; `updated`: whether it ran for an update, and not for previews alone."""

    def __init__(self, project: Path) -> None:
        self.address = ""
        self.updated = False
        self._file = project / "__main__.py"
        self._loaded = threading.Event()
        self._methods: Any = None
        self._failure = "the program was not loaded in time"

    def load(self) -> None:
        """Import what serves the program, and what it imports. The CLI waits for it with its first question."""
        try:
            # Private to the SDK, and pinned with it: what the Automation API offers starts the CLI four times for one update.
            from pulumi.automation._server import LanguageServer
            from pulumi.runtime.proto.language_pb2_grpc import add_LanguageRuntimeServicer_to_server

            served = self

            class Servicer(LanguageServer):
                def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
                    served.updated = served.updated or not request.dryRun
                    return super().Run(request, context)  # type: ignore[no-untyped-call]

            add_LanguageRuntimeServicer_to_server(Servicer(self._run), _Registry(self))
            for name in imported(self._file):
                importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever the program's imports raise is for the engine to say
            self._failure = f"{self._file}: {type(error).__name__}: {error}"
            self._methods = None
        finally:
            self._loaded.set()

    def take(self, methods: Any) -> None:
        """Keep how each question of the engine is answered."""
        self._methods = methods

    def answer(self, details: Any, request: bytes, context: Any) -> bytes:
        """Answer one question of the engine, given and returned as it is on the wire."""
        self._loaded.wait(_LOAD_SECONDS)
        if self._methods is None:
            import grpc

            context.abort(grpc.StatusCode.INTERNAL, self._failure)
        method = self._methods.service(details)
        answer: bytes = method.response_serializer(method.unary_unary(method.request_deserializer(request), context))
        return answer

    def _run(self) -> None:
        runpy.run_path(str(self._file), run_name="__main__")


class _Registry:
    """What the generated code takes for a server: it only hands over the methods."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def add_generic_rpc_handlers(self, handlers: tuple[Any, ...]) -> None:
        self._served.take(handlers[0])

    def add_registered_method_handlers(self, service: str, methods: Any) -> None:
        """Of no use here: the handlers above know the same methods."""


def imported(file: Path) -> list[str]:
    """The modules that a program imports at its top."""
    found: list[str] = []
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name != "__future__"]


def can_serve(project: Path) -> bool:
    """Whether this Python is the one that Pulumi.yaml names for the program: another may lack what the program imports."""
    settings = yamlfile.load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
    options = settings.get("runtime", {}).get("options", {}) if isinstance(settings.get("runtime"), dict) else {}
    environment = options.get("virtualenv")
    return environment is not None and Path(sys.prefix).resolve() == (project / environment).resolve()


@contextmanager
def serving(project: Path) -> Iterator[Served]:
    """Serve the program while the block runs, which has the project as its working directory, as the program expects."""
    # What the program asks the cluster it asks through kubectl, and gRPC would remark on every new process.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    import grpc

    served = Served(project)

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            def answer(request: bytes, context: Any) -> bytes:
                return served.answer(details, request, context)

            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Handler(),))
    served.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    with chdir(project), _first_on_path(project):
        threading.Thread(target=served.load, daemon=True).start()
        try:
            yield served
        finally:
            server.stop(_STOP_SECONDS).wait()


@contextmanager
def _first_on_path(directory: Path) -> Iterator[None]:
    """As Python has it for a script in this directory."""
    entry = str(directory)
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
