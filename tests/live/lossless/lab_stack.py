"""A stack of the lossless tests: its config, the updates that apply it, and a shell on the lab to look on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.tools.catalog import FORTIO_VERSION
from tests.live.harness import Project, Shell, shell_environment

FORTIO = f"fortio/fortio:{FORTIO_VERSION}"
SAME_FORTIO = f"docker.io/fortio/fortio:{FORTIO_VERSION}"
"""The same image by another name: to Kubernetes another image, for which pods are replaced."""


@dataclass(frozen=True)
class Update:
    """What an update left."""

    code: int
    said: str
    seconds: float


@dataclass
class LabStack(Shell):
    """A stack with a namespace of its own, both called `name`."""

    name: str
    stands: Mapping[str, Any] | None = None
    """The config that the last update applied; None where it failed."""
    written: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def create(cls, project: Project, name: str) -> LabStack:
        """A new stack; the settings of `weir env` are read once."""
        stack = cls(project, shell_environment(project), name)
        stack.run(f"pulumi stack init {name} --no-select", check=False)
        return stack

    @classmethod
    @contextmanager
    def beside(cls, project: Project, source: Path, name: str) -> Iterator[LabStack]:
        """The stack of another program, which is copied from `source` into a directory of its own, on the lab's
        settings; removed with the block.
        """
        directory = project.directory / name
        shutil.copytree(source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        if not (directory / ".venv").is_symlink():
            (directory / ".venv").symlink_to(project.directory / ".venv")
        stack = cls(Project(directory), shell_environment(project), name)
        stack.run(f"pulumi stack init {name} --no-select", check=False)
        try:
            yield stack
        finally:
            stack.run(
                f"pulumi stack rm --yes --force {name} && kubectl delete namespace {name} --ignore-not-found "
                "--wait=false"
            )

    @property
    def namespace(self) -> str:
        return self.name

    def succeeds(self, command: str) -> bool:
        return self.call(command).returncode == 0

    def kubectl(self, command: str) -> str:
        """What kubectl prints, in the stack's namespace."""
        return self.run(f"kubectl -n {self.namespace} {command}")

    def write(self, config: Mapping[str, Any]) -> None:
        """The whole config of the stack; the namespace is the stack's."""
        self.written = config
        self.write_stack(self.name, {"namespace": self.namespace, **config})

    def pulumi(self, command: str, *, env: Mapping[str, str] | None = None) -> Update:
        """A pulumi command on the stack, and how long it took."""
        start = time.monotonic()
        verb, _, options = command.partition(" ")
        done = self.call(f"pulumi {verb} --stack {self.name} --non-interactive --color never {options}", env=env)
        if verb == "up":
            self.stands = self.written if done.returncode == 0 else None
        return Update(done.returncode, done.stdout, time.monotonic() - start)

    def up(self, config: Mapping[str, Any] | None = None, options: str = "") -> Update:
        """A plain `pulumi up` that must succeed, with this config or the one that stands."""
        if config is not None:
            self.write(config)
        update = self.pulumi(f"up --yes {options}")
        assert update.code == 0, update.said[-6000:]
        return update

    def refused(self, config: Mapping[str, Any], command: str = "preview") -> str:
        """What pulumi says when it refuses a config; it must not succeed."""
        self.write(config)
        update = self.pulumi(command)
        assert update.code != 0, update.said[-6000:]
        assert "Traceback" not in update.said
        return update.said

    def assert_converged(self) -> None:
        """A preview finds nothing to do."""
        update = self.pulumi("preview --expect-no-changes")
        assert update.code == 0, update.said[-6000:]

    def remove(self) -> None:
        """Destroy the stack."""
        update = self.pulumi("destroy --yes")
        assert update.code == 0, update.said[-6000:]
        self.run(f"pulumi stack rm --yes {self.name}")


def server(version: str, port: int = 8080, answers: str = "", **more: Any) -> dict[str, Any]:
    """A version of the service: a fortio that answers with its name, after `?delay=` where it
    is asked to, on `port`. `answers`: what else its echo server is told, such as `status=500:5`.
    """
    unused = [f"-{name}-port=disabled" for name in ("redirect", "tcp", "udp", "grpc")]
    # A server that closes a connection as Envoy sends a request on it fails that request, in the middle of no change:
    # fortio does after 30 s.
    arguments = [
        f"-http-port={port}",
        "-server-idle-timeout=1h",
        "-loglevel=warning",
        "-max-echo-delay=10s",
        f"-echo-server-default-params=header=version:{version}{'&' * bool(answers)}{answers}",
    ]
    return {"args": ["server", *arguments, *unused], **more}


def backend(stable: str, canary: Mapping[str, float] | None = None, /, **versions: Mapping[str, Any]) -> dict[str, Any]:
    """The service under load. Retries are off: none may hide what went wrong."""
    return {
        "image": FORTIO,
        "port": 80,
        "targetPort": 8080,
        "versions": {name: server(name, **settings) for name, settings in versions.items()},
        "stable": stable,
        "canary": dict(canary or {}),
        "retries": {"attempts": 0},
    }


def receiving(service: Mapping[str, Any]) -> frozenset[str]:
    """The versions that the config of a service sends requests to."""
    canary = {version: share for version, share in service["canary"].items() if share > 0}
    return frozenset(canary) if sum(canary.values()) >= 100 else frozenset({service["stable"], *canary})
