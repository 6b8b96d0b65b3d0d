"""What the live tests stand on: a project of their own with a lab of its own, driven as a person drives it, in a
shell.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ruamel.yaml import YAML

CHECKOUT = Path(__file__).resolve().parents[2]
_PROGRAM = ("Pulumi.yaml", "Pulumi.dev.yaml", "__main__.py")
COMMAND_SECONDS = 300.0


@dataclass(frozen=True)
class Project:
    """A copy of the program in a directory of its own: its stack files can be changed, its lab is nobody else's."""

    directory: Path

    @classmethod
    def create(cls, directory: Path) -> Project:
        directory.mkdir(parents=True, exist_ok=True)
        for name in _PROGRAM:
            shutil.copy(CHECKOUT / name, directory / name)
        link = directory / ".venv"
        if not link.is_symlink():
            link.symlink_to(CHECKOUT / ".venv")
        return cls(directory)

    def run(
        self, command: str, *, check: bool = True, shell: bool = True, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of bash in the project; with `shell`, on the lab as after `weir env`."""
        kubeconfig = self.directory / ".weir" / "lab" / "kubeconfig"
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                **(_settings(self.directory, kubeconfig.stat().st_mtime_ns) if shell else {}),
                **(env or {}),
            },
        )
        if check:
            assert result.returncode == 0, (
                f"{command}: exit code {result.returncode}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
            )
        return result

    def weir(self, arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.run(f".venv/bin/weir {arguments}", shell=False, **options)

    def json(self, command: str) -> Any:
        return json.loads(self.run(command).stdout)

    def answers(self, count: int, parallel: int = 20) -> list[str]:
        """The texts that `count` requests of the frontend to http://backend were answered with."""
        done = self.run(
            f"kubectl exec deploy/frontend -- sh -c 'seq {count} | xargs -P {parallel} -n 20 sh -c \"for i in "
            '\\"\\$@\\"; do curl -s http://backend; done" sh\''
        )
        return done.stdout.split("\n")[:-1]


@functools.cache
def _settings(directory: Path, _lab: int) -> Mapping[str, str]:
    """What `weir env` says, asked once a lab: before every command it would take a third of the tests' time."""
    line = 'settings="$(.venv/bin/weir env)" || exit; eval "$settings"; env -0'
    entries = subprocess.run(
        ["bash", "-c", line], cwd=directory, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    found = dict(entry.split("=", 1) for entry in entries if entry)
    return {name: value for name, value in found.items() if os.environ.get(name) != value}


@dataclass
class Shell:
    """bash on a project's lab."""

    project: Project
    environment: Mapping[str, str]

    def run(self, command: str, *, stdin: str = "", check: bool = True) -> str:
        """What a line of bash prints on stdout."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.project.directory,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert not check or done.returncode == 0, (
            f"{command}: exit code {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
        return done.stdout

    def call(
        self, command: str, *, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A line of bash, however it ends; stderr is part of what it prints."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.project.directory,
            env={**self.environment, **(env or {})},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def start(
        self, command: str, *, stdout: IO[str] | int = subprocess.PIPE, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """A command under way, in a session of its own; stderr is part of what it prints."""
        return subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.project.directory,
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """`kubectl apply`, as somebody does who is not weir."""
        self.run("kubectl apply -f -", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def write_stack(self, stack: str, config: Mapping[str, Any]) -> None:
        """The whole config of a stack, on the cluster of the stack dev where it names no other."""
        yaml = YAML(typ="safe")
        content = yaml.load(CHECKOUT / "Pulumi.dev.yaml")
        cluster = {key: value for key, value in content["config"].items() if key.startswith("weir:kube")}
        content["config"] = {**cluster, **{f"weir:{key}": value for key, value in config.items()}}
        yaml.dump(content, self.project.directory / f"Pulumi.{stack}.yaml")


@contextmanager
def stack_like_dev(project: Project, name: str) -> Iterator[Path]:
    """A stack with the config of dev in a namespace of its own name, not up yet: its stack file. It is discarded at
    the end.
    """
    file = project.directory / f"Pulumi.{name}.yaml"
    file.write_text(
        (CHECKOUT / "Pulumi.dev.yaml").read_text().replace("weir:namespace: demo", f"weir:namespace: {name}")
    )
    project.run(f"pulumi stack init {name} --no-select")
    try:
        yield file
    finally:
        discard(project, name, name)


def discard(project: Project, stack: str, namespace: str) -> None:
    """Remove a stack with its namespace, which goes in the background: `pulumi destroy` has tests of its own, and is a
    sixth of a minute each time.
    """
    # A test that was interrupted has left its update's lock.
    project.run(f"pulumi cancel --yes --stack {stack}", check=False)
    project.run(
        f"pulumi stack rm --yes --force --stack {stack} && kubectl delete namespace {namespace} --ignore-not-found "
        "--wait=false"
    )
    (project.directory / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)


def shell_environment(project: Project) -> dict[str, str]:
    """The settings of `weir env`, and all else a shell of the tests has."""
    entries = project.run("env -0").stdout.split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll `condition` with a bound."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
