"""kubectl as a subprocess: which binary, which cluster, and what its failures mean."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weir.cluster.errors import ClusterError, DeniedError, UnaskedError

TOOL_VARIABLE = "WEIR_TOOL_KUBECTL"
"""Environment variable that names the kubectl to use; without it, the first one on PATH."""

BURST = 10
"""So many requests kubectl sends without waiting, as for objects that are named one by one; from then on five a second
(client-go: rest.DefaultBurst, rest.DefaultQPS).
"""

# What kubectl and client-go say when no API server answers. Matched in lower case.
_UNREACHABLE = (
    "connection refused",
    "was refused - did you specify",
    "no such host",
    "i/o timeout",
    "no route to host",
    "network is unreachable",
    "tls handshake timeout",
    "context deadline exceeded",
    "client.timeout exceeded",
    "unable to connect to the server",
)
_DENIED = ("unauthorized", "you must be logged in", "forbidden", "please enter username")


@dataclass(frozen=True, slots=True)
class Result:
    """What a kubectl call left: exit status and both streams, decoded as UTF-8 with undecodable bytes replaced."""

    status: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The lines of stderr that tell why, one line at most 300 characters long, without klog's repetitions."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        # client-go logs each retry as `E1123 09:27:58.295379 …`; kubectl's own conclusion follows.
        plain = [line for line in lines if not (line[:1] in "EWI" and line[1:5].isdigit())]
        return "; ".join(plain or lines)[:300]


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with a fixed cluster and namespace; every call names them, so that no default of the user's shell slips
    in.

    `kubeconfig` and `context` are None where kubectl's own choice is wanted (KUBECONFIG, current context).
    """

    path: str
    namespace: str
    kubeconfig: str | None = None
    context: str | None = None

    @classmethod
    def find(
        cls,
        namespace: str,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Kubectl:
        """kubectl from WEIR_TOOL_KUBECTL, else from PATH. Raises UnaskedError when there is none, ClusterError when
        the kubeconfig is no file.
        """
        environ = os.environ if environ is None else environ
        named = environ.get(TOOL_VARIABLE)
        path = shutil.which(named or "kubectl", path=environ.get("PATH"))
        if path is None:
            if named:
                raise UnaskedError(
                    f"{TOOL_VARIABLE} names {named}, which is not an executable file; correct it or unset it"
                )
            raise UnaskedError(
                'no kubectl on PATH; for the lab: eval "$(.venv/bin/weir env)"; else install it, or set '
                f"{TOOL_VARIABLE}"
            )
        if kubeconfig is not None:
            kubeconfig = str(Path(kubeconfig).expanduser())
            if not Path(kubeconfig).is_file():
                raise ClusterError(
                    f"kubeconfig {kubeconfig} does not exist; correct weir:kubeconfig, or start the lab: weir lab up"
                )
        return cls(path, namespace, kubeconfig, context)

    def command(self, args: Sequence[str]) -> list[str]:
        """The argument vector of a call."""
        where = ["--kubeconfig", self.kubeconfig] if self.kubeconfig is not None else []
        where += ["--context", self.context] if self.context is not None else []
        return [self.path, *where, "-n", self.namespace, *args]

    def call(self, args: Sequence[str], *, timeout: float, stdin: str | None = None) -> Result:
        """Run kubectl and return what it left, whatever its exit status.

        `timeout` is in seconds; `stdin`: what it is to read there. Raises ClusterError when it passes, when kubectl
        cannot be started, and when the cluster is the reason of a failure (not reachable, unknown context, access
        denied): none of these is an answer to the question asked.
        """
        try:
            # Never the terminal's stdin: kubectl asks for user name and password there, and would wait for them unseen.
            done = subprocess.run(
                self.command(args), input=(stdin or "").encode(), capture_output=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise ClusterError(
                f"kubectl {' '.join(args[:3])} … did not end within {timeout:g} s; is the cluster healthy?"
            ) from late
        except OSError as broken:
            raise ClusterError(
                f"{self.path} cannot be run: {broken.strerror}; set {TOOL_VARIABLE} to another kubectl"
            ) from broken
        result = Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        if result.status != 0:
            self._refuse_cluster_failures(result)
        return result

    def get(self, args: Sequence[str], *, timeout: float = 20.0, missing: Any = None) -> Any:
        """`kubectl get … -o json`, decoded; `missing` where it prints nothing (--ignore-not-found).

        Raises ClusterError as `call` does, and for any other failure with kubectl's words.
        """
        # Without a request timeout kubectl would try each address for half a minute and more.
        result = self.call(["get", *args, "-o", "json", "--request-timeout=10s"], timeout=timeout)
        if result.status != 0:
            raise ClusterError(
                f"kubectl get {' '.join(args)} failed: {result.complaint or f'exit status {result.status}'}"
            )
        if missing is not None and not result.stdout.strip():
            return missing
        try:
            return json.loads(result.stdout)
        except json.JSONDecodeError as broken:
            raise ClusterError(
                f"kubectl get {' '.join(args)} did not print valid JSON: {result.stdout[:200]!r}"
            ) from broken

    def _refuse_cluster_failures(self, result: Result) -> None:
        said = result.stderr.lower()
        # The remote command's own words come through the same stream; kubectl says when it was the command that failed.
        if "command terminated with exit code" in said:
            return
        cluster = self._cluster()
        if "context was not found" in said or ("context" in said and "does not exist" in said):
            raise ClusterError(f"{cluster} is not in the kubeconfig; correct weir:kubeContext or weir:kubeconfig")
        why = result.complaint
        if any(words in said for words in _UNREACHABLE):
            raise ClusterError(
                f"the cluster of {cluster} does not answer ({why}); check that it is up (weir lab status) and that "
                "weir:kubeContext names the right one"
            )
        if any(words in said for words in _DENIED):
            raise DeniedError(
                f"the cluster of {cluster} denies access ({why}); check the user of the kubeconfig and its rights"
            )

    def _cluster(self) -> str:
        if self.context is not None:
            return f"context {self.context}"
        return "the current context" if self.kubeconfig is None else f"kubeconfig {self.kubeconfig}"
