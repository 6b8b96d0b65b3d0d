"""A resource provider that outlives an update: the engine attaches to the address of weir's server, which hands each
question on to it.

The engine lets its providers go at the end of every update, a provider that it is attached to as well: it tells them
to cancel what is under way, and the Kubernetes provider does nothing any more after that. With nothing under way there
is nothing to cancel, so that is answered here. One that had something to cancel is told to, and replaced for the next
update.

A provider answers whoever connects to its port, which every user of the machine can. One that is kept would do so for
as long as weir runs: its port is closed once weir is connected.
"""

from __future__ import annotations

import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc

from weir.engine.warm.peers import close_to_others
from weir.processes import until_killed

SERVICE = "/pulumirpc.ResourceProvider/"
"""What the paths of the engine's questions to a provider begin with."""

_CANCEL, _CONFIGURE = f"{SERVICE}Cancel", f"{SERVICE}Configure"
_START_SECONDS = 60.0
_END_SECONDS = 1.0
_UNBOUNDED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class KeptProvider:
    """A provider's process, for one cluster: questions are handed on as they are on the wire."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Any = None
        self._reader = ThreadPoolExecutor(1)
        self._settings: Any = None
        self._under_way = self._unsent = 0
        self._spent = self._ending = False
        self._changed = threading.Condition()

    def start(self, plugin: str) -> bool:
        """Have the plugin's process run, unless one does that is still of use, and nobody else reach it. It ends with
        the thread that calls this.

        Returns whether that could be done.
        """
        with self._changed:
            if self._process is not None:
                if self._process.poll() is None and not self._spent:
                    return True
                self._process.kill()
                self._process.wait()
            # Without an engine's address it expects to be attached to.
            try:
                self._process = subprocess.Popen(
                    [*until_killed(), plugin],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    env={**os.environ, "GODEBUG": _godebug()},
                )
                self._channel = self._reader.submit(_channel_to, self._process).result(_START_SECONDS)
            except (OSError, TimeoutError, ValueError, grpc.FutureTimeoutError):
                if self._process is not None:
                    self._process.kill()
                return False
            self._settings, self._spent = None, False
            return True

    def answer(self, method: str, request: bytes, context: Any) -> bytes:
        """Answer one question of the engine: the provider's own answer, or its error with all that it says."""
        with self._changed:
            if method == _CANCEL and not self._under_way:
                return b""
            if self._ending:
                _refuse(context, grpc.StatusCode.UNAVAILABLE, "weir has ended, and its provider has ended with it")
            if method == _CONFIGURE:
                self._require_same(request, context)
            self._spent = self._spent or method == _CANCEL
            self._under_way += 1
            self._unsent += context.add_callback(self._sent)
        try:
            answer: bytes = self._channel.unary_unary(method)(request)
            return answer
        except grpc.RpcError as error:
            # Half of what a provider says of a failure stands there, such as what became of the resource all the same.
            context.set_trailing_metadata(error.trailing_metadata() or ())
            ended = self._ended() if error.code() == grpc.StatusCode.UNAVAILABLE else ""
            _refuse(context, error.code(), ended or error.details() or "")
        finally:
            with self._changed:
                self._under_way -= 1

    def finish(self, seconds: float) -> None:
        """Take no more questions, and wait for those under way, so that the engine hears what became of them: so long
        at most.
        """
        with self._changed:
            self._ending = True
            self._changed.wait_for(lambda: not self._unsent, seconds)

    def _ended(self) -> str:
        assert self._process is not None
        try:
            # Its connections end a moment before it does.
            return f"the provider that weir keeps has ended (exit code {self._process.wait(_END_SECONDS)})"
        except subprocess.TimeoutExpired:
            return ""

    def _sent(self) -> None:
        """The engine has the answer, or has gone."""
        with self._changed:
            self._unsent -= 1
            self._changed.notify_all()

    def _require_same(self, request: bytes, context: Any) -> None:
        """One process is for one cluster: a second configuration would send what the first is asked to wherever the
        second leads.
        """
        # It brings the SDK along, which is imported beside: the engine asks when it has come.
        from pulumi.runtime.proto.provider_pb2 import ConfigureRequest

        settings = ConfigureRequest.FromString(request)
        if self._settings not in (None, settings):
            _refuse(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                "the provider's configuration differs from the last update's; run pulumi up",
            )
        self._settings = settings


def _godebug() -> str:
    """Of a program in Go: the kernel has no filter for multipath TCP, with which such a one listens by itself."""
    return ",".join(filter(None, (os.environ.get("GODEBUG"), "multipathtcp=0")))


def _channel_to(process: subprocess.Popen[bytes]) -> Any:
    """The one connection to it, once it says where it listens. Raises ValueError where it does not, or where others
    could connect as well.
    """
    assert process.stdout is not None
    port = int(process.stdout.readline())
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_UNBOUNDED)
    grpc.channel_ready_future(channel).result(_START_SECONDS)
    if not close_to_others(process.pid, port):
        raise ValueError(f"port {port} cannot be closed")
    return channel


def _refuse(context: Any, code: grpc.StatusCode, why: str) -> NoReturn:
    context.abort(code, why)
    raise AssertionError  # abort does not return; its types do not say so
