"""Components in a program of one's own, without a stack config: the promises hold there too."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.progress import Progress
from lab.tools.toolset import find_checker
from tests.live.harness import CHECKOUT, Project
from tests.live.lossless.conftest import RATE, soak
from tests.live.lossless.lab_stack import FORTIO, LabStack, server
from tests.live.lossless.load import Load

PROGRAMS = Path(__file__).parents[1] / "programs"
SIGMAS = 6.0
"""A share this far from what is written comes by chance once in 500 million times; 1,000 requests see 10 % in place of
20 %.
"""


@pytest.fixture
def own(lab: Project) -> Iterator[LabStack]:
    """The stack of the Python program."""
    with LabStack.beside(lab, PROGRAMS / "own", "own") as stack:
        yield stack


@pytest.fixture
def package(lab: Project) -> Iterator[LabStack]:
    """The stack of the YAML program; the lab's tools have no language host for it."""
    host = find_checker("pulumi-language-yaml", Progress())
    with LabStack.beside(lab, PROGRAMS / "package", "package") as stack:
        stack.environment = {**stack.environment, "PATH": f"{host.parent}:{stack.environment['PATH']}"}
        file = stack.project.directory / "Pulumi.yaml"
        file.write_text(file.read_text().replace("../../../../components", str(CHECKOUT / "components")))
        yield stack


Apply = Callable[..., None]


def by_config(stack: LabStack) -> Apply:
    """One `pulumi up` of the Python program with these versions of backend."""

    def apply(versions: Sequence[str], stable: str, **canary: float) -> None:
        written = json.dumps({"versions": versions, "stable": stable, "canary": canary})
        stack.run(f"pulumi config set --stack own image {FORTIO} && pulumi config set --stack own backend '{written}'")
        stack.up()

    return apply


def by_edit(stack: LabStack) -> Apply:
    """One `pulumi up` of the YAML program with these versions of backend written into it."""
    file = stack.project.directory / "Pulumi.yaml"

    def apply(versions: Sequence[str], stable: str, **canary: float) -> None:
        program = yaml.safe_load(file.read_text())
        backend = program["resources"]["backend"]["properties"]
        backend |= {"versions": {version: server(version) for version in versions}, "stable": stable, "canary": canary}
        file.write_text(yaml.safe_dump(program))
        stack.up()

    return apply


def assert_split(load: Load, shares: dict[str, float]) -> None:
    """What each version gets of at least 1,000 requests from now on is what is written, but for chance."""
    before = load.read()
    load.wait(1000)
    counts = load.read().versions_since(before)
    total = sum(counts.values())
    assert set(counts) == {version for version, share in shares.items() if share}
    for version, share in shares.items():
        assert abs(counts.get(version, 0) - total * share) <= SIGMAS * math.sqrt(total * share * (1 - share)) + 1, (
            counts
        )


def assert_loses_nothing(stack: LabStack, apply: Apply) -> None:
    """A version comes, gets its share, takes over, and the old one goes, under load; then there is nothing to do."""
    apply(["v1"], "v1")
    with Load(stack, rate=RATE) as load:
        apply(["v1", "v2"], "v1", v2=20)
        assert outputs(stack) == {"host": f"backend.{stack.name}.svc.cluster.local", "weights": {"v1": 80, "v2": 20}}
        assert_split(load, {"v1": 0.8, "v2": 0.2})
        apply(["v1", "v2"], "v2", v1=50)
        assert_split(load, {"v1": 0.5, "v2": 0.5})
        apply(["v2"], "v2")
        assert_split(load, {"v2": 1.0})
        answer = stack.run(
            load.caller.exec("caller", f"/usr/bin/fortio curl http://orders.{stack.name}.svc.cluster.local/") + " 2>&1"
        )
        tally = load.stop()
    assert "200 OK" in answer, answer
    tally.assert_nothing_lost()
    stack.assert_converged()


@soak
def test_a_program_of_ones_own_loses_nothing(own: LabStack) -> None:
    """In Python, with pods of its own that have a volume and an init container."""
    assert_loses_nothing(own, by_config(own))
    [pod] = json.loads(own.kubectl("get pods -l app=orders,version=v2 -o json"))["items"]
    [before] = [each for each in pod["status"]["initContainerStatuses"] if each["name"] == "before"]
    assert before["state"]["terminated"]["exitCode"] == 0


@soak
@pytest.mark.timeout(900)  # the language host for YAML may have to be compiled first
def test_the_component_package_loses_nothing(package: LabStack) -> None:
    """In YAML, where each component is constructed alone; what is wrong is refused in the preview, in weir's words."""
    apply = by_edit(package)
    assert_loses_nothing(package, apply)
    with pytest.raises(AssertionError, match=r'MeshService "backend": stable: no such version "v1" \(versions: v2\)'):
        apply(["v2"], "v1")
    apply(["v2"], "v2")
    rule = json.loads(package.kubectl("get virtualservice backend -o json"))
    edited = json.dumps({"spec": {"http": [{**rule["spec"]["http"][0], "timeout": "7s"}]}})
    package.kubectl(f"patch virtualservice backend --type merge --field-manager=somebody -p '{edited}'")
    with pytest.raises(
        AssertionError,
        match=r"VirtualService package/backend was edited since the last update \(field manager somebody\)",
    ):
        apply(["v2", "v3"], "v2", v3=10)


def outputs(stack: LabStack) -> Any:
    return json.loads(stack.run(f"pulumi stack output --stack {stack.name} --json"))
