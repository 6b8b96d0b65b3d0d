"""What was applied is what was shown: sequences of releases, edits of the stack file, kills, looks, updates and
drills, drawn at random.

The truth is the cluster's own objects and the lines that a command printed. After every step each object is what it
was before, but for the VirtualServices that the command spoke of; and these have moved from the shares on the left of
its arrows to those on the right. WEIR_SOAK=1 draws more, WEIR_STEPS so many; WEIR_SEED names a sequence to draw again.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.live.harness import Project, Shell, discard, shell_environment
from tests.live.lossless.conftest import SOAKING
from tests.live.terminal import Terminal

STACK = "shown"
STEPS = int(os.environ.get("WEIR_STEPS") or (150 if SOAKING else 12))
SERVICES = ("backend", "orders")
_MOVES = re.compile(r"(v\d) ([0-9.]+) % → ([0-9.]+) %")
_LOOKS = ("status --window 0", "diff", "check", "history", "verify backend --requests 50")


def service(text: str) -> dict[str, Any]:
    return {
        "image": "hashicorp/http-echo:1.0.0",
        "port": 80,
        "targetPort": 5678,
        "versions": {name: {"args": [f"-text={text} {name}"]} for name in ("v1", "v2")},
        "stable": "v1",
        "canary": {"v2": 20},
    }


Objects = Mapping[tuple[str, str], Any]


@dataclass
class Sequence:
    """The stack, what was done to it, and what the cluster had before the step under way."""

    shell: Shell
    draw: random.Random
    done: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.shell.project.directory / f"Pulumi.{STACK}.yaml"

    def objects(self) -> Objects:
        """The specs in the cluster, by kind and name."""
        kinds = "virtualservices.networking.istio.io,destinationrules.networking.istio.io,deployments.apps,services"
        found = json.loads(self.shell.run(f"kubectl get {kinds} -n {STACK} -o json"))["items"]
        return {(item["kind"], item["metadata"]["name"]): item["spec"] for item in found}

    def call(self, arguments: str) -> tuple[int, str]:
        """A weir command's exit code and what it printed."""
        done = self.shell.call(f"weir {arguments} --stack {STACK}")
        return done.returncode, done.stdout

    def killed(self, arguments: str, after: float) -> str:
        """What the command printed until it, and all that it started, was killed."""
        process = self.shell.start(f"weir {arguments} --stack {STACK}")
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        return said

    def edit(self) -> None:
        """Somebody edits the stack file: a share, an argument, replicas, a timeout."""
        yaml = YAML(typ="safe")
        content = yaml.load(self.file)
        settings = content["config"]["weir:services"][self.draw.choice(SERVICES)]
        match self.draw.randrange(4):
            case 0:
                settings.setdefault("canary", {})["v2" if settings["stable"] == "v1" else "v1"] = self.draw.randrange(
                    100
                )
            case 1:
                settings["versions"]["v2"]["args"] = [f"-text={self.draw.randrange(1000)} v2"]
            case 2:
                settings["replicas"] = self.draw.choice((1, 2))
            case _:
                settings["timeout"] = f"{self.draw.randrange(5, 60)}s"
        yaml.dump(content, self.file)

    def canary(self, name: str) -> str:
        """The version that is not stable."""
        settings = YAML(typ="safe").load(self.file)["config"]["weir:services"][name]
        return "v2" if settings["stable"] == "v1" else "v1"


def shares(spec: Mapping[str, Any]) -> dict[str, float]:
    """Percent of each version, of the default route."""
    entries = spec["http"][-1]["route"]
    total = sum(entry.get("weight", 0) for entry in entries) or 1
    return (
        {entry["destination"]["subset"]: round(100 * entry.get("weight", 0) / total, 4) for entry in entries}
        if len(entries) > 1
        else {entries[0]["destination"]["subset"]: 100.0}
    )


def but(objects: Objects, name: str) -> Objects:
    return {key: spec for key, spec in objects.items() if key != ("VirtualService", name)}


def follows(before: Objects, after: Objects, name: str, said: str) -> bool:
    """Whether the one VirtualService has moved as was said, and nothing else."""
    told = [line for line in said.splitlines() if line.startswith(f"{name}: ")]
    moved = {version: (float(old), float(new)) for line in told[:1] for version, old, new in _MOVES.findall(line)}
    old, new = (shares(objects["VirtualService", name]) for objects in (before, after))
    here = {version: (old.get(version, 0.0), new.get(version, 0.0)) for version in {*old, *new}}
    return {version: both for version, both in here.items() if both[0] != both[1]} == moved and but(after, name) == but(
        before, name
    )


@pytest.fixture(scope="module")
def sequence(lab: Project) -> Iterator[Sequence]:
    seed = int(os.environ.get("WEIR_SEED", time.time()))
    print(f"WEIR_SEED={seed}")
    made = Sequence(Shell(lab, shell_environment(lab)), random.Random(seed))
    clients = {"frontend": {"image": "curlimages/curl:latest"}}
    made.shell.write_stack(
        STACK, {"namespace": STACK, "services": {name: service(name) for name in SERVICES}, "clients": clients}
    )
    made.shell.run(f"pulumi stack init {STACK} --no-select && pulumi up --yes --skip-preview --stack {STACK}")
    try:
        yield made
    finally:
        made.shell.run(f"pulumi cancel --yes --stack {STACK}", check=False)
        discard(lab, STACK, STACK)


def step(run: Sequence) -> None:
    """One, drawn; the assertions are about the cluster and what was printed."""
    before, text = run.objects(), run.file.read_text()
    name = run.draw.choice(SERVICES)
    # Nothing is asked about a share that stands already.
    stands = shares(before["VirtualService", name]).get(run.canary(name), 0.0)
    move = f"set {name} {run.canary(name)}={run.draw.choice([share for share in range(100) if share != stands])}"
    kind = run.draw.choice(
        ("look", "look", "edit", "edit", "set", "set", "set", "abort", "kill", "kill", "no", "meanwhile", "up", "drill")
    )
    run.done.append(f"{kind} {move}")
    print(run.done[-1], flush=True)
    if kind == "look":
        look = run.draw.choice(_LOOKS)
        code, said = run.call(look)
        assert code in (0, 3), said
        assert (run.objects(), run.file.read_text()) == (before, text), said
    elif kind == "edit":
        run.edit()
        assert run.objects() == before
    elif kind in ("set", "abort"):
        code, said = run.call(f"{move if kind == 'set' else f'abort {name}'} --yes")
        assert code == 0, said
        assert follows(before, run.objects(), name, said), said
    elif kind == "kill":
        said = run.killed(f"{move} --yes", run.draw.uniform(0.2, 2.5))
        after = run.objects()
        assert after == before or follows(before, after, name, said), said
    elif kind in ("no", "meanwhile"):
        terminal = Terminal(f"weir {move} --stack {STACK}", 160, run.shell.project.directory, run.shell.environment)
        terminal.until(f"apply it to stack {STACK}? [y/N]:")
        if kind == "meanwhile":
            run.file.write_text(f"{text}# changed meanwhile\n")
        terminal.type("y" if kind == "meanwhile" else "n")
        assert terminal.end() in (1, 2, 130), terminal.text()
        assert "nothing was" in terminal.text()
        assert run.objects() == before
        assert run.file.read_text() == text + "# changed meanwhile\n" * (kind == "meanwhile")
    elif kind == "drill":
        code, said = run.call(f"drill {name} --abort 503 --match x-drill=on --for 1s --yes")
        assert code == 0, said
        assert run.objects() == before, said
        assert YAML(typ="safe").load(run.file.read_text()) == YAML(typ="safe").load(text)
    else:
        run.shell.run(f"pulumi cancel --yes --stack {STACK}; pulumi up --yes --skip-preview --stack {STACK}")
        assert "not applied" not in run.call(f"set {name} {run.canary(name)}=50 --yes")[1]


def test_what_was_applied_is_what_was_shown(sequence: Sequence) -> None:
    """Whatever comes after whatever."""
    for _ in range(STEPS):
        try:
            step(sequence)
        except AssertionError as wrong:
            raise AssertionError(f"after {sequence.done}: {wrong}") from None
