"""The states of many rollouts: kubectl sends ten requests at once, and then five a second, so that fifty objects by
name would take eight seconds each time (client-go: rest.DefaultBurst, rest.DefaultQPS).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.unit.rollout.fake_mesh import STATE
from weir.cluster.kubectl import Kubectl, Result
from weir.cluster.rollouts import splits_of_rollouts
from weir.rollout import record

SERVICES = [f"shop-{number:02}" for number in range(25)]
STATES = [replace(STATE, service=name, phase="step") for name in SERVICES]
AT_ONCE = 10


@dataclass(frozen=True)
class Keeping(Kubectl):
    """Keeps ConfigMaps, with a version each, and notes how many requests each call was."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[int] = field(default_factory=list)

    def call(self, args: Sequence[str], *, timeout: float, stdin: str | None = None) -> Result:
        if args[0] == "get":
            found = list(self.objects.values())
            if "-l" in args:
                assert args[args.index("-l") + 1] == "weir.dev/rollout"
                self.requests.append(1)
            else:
                names = args[2 : args.index("--ignore-not-found")]
                self.requests.append(len(names))
                found = [each for each in found if each["metadata"]["name"] in names]
            one = len(found) == 1 and "-l" not in args
            return Result(0, json.dumps(found[0] if one else {"kind": "List", "items": found}), "")
        given = json.loads(stdin or "")
        items = given.get("items", [given])
        self.requests.append(len(items))
        said, refused = [], ""
        for each in items:
            name, version = each["metadata"]["name"], each["metadata"].get("resourceVersion")
            there = self.objects.get(name)
            if (there["metadata"]["resourceVersion"] if there else None) != version:
                refused = "Conflict"
                continue
            each["metadata"]["resourceVersion"] = str(int(version or 0) + 1)
            self.objects[name] = each
            said.append(json.dumps(each))
        return Result(1 if refused else 0, "\n".join(said), refused)


def test_many_states_take_as_few_requests_as_kubectl_sends_at_once() -> None:
    """To write them, to write them again, to read them, and to read the splits in an update."""
    kubectl = Keeping("kubectl", "demo")
    kept = record.write(kubectl, STATES, {})
    kept = record.write(kubectl, STATES, kept)
    assert {name: each.resource_version for name, each in kept.items()} == dict.fromkeys(SERVICES, "2")
    assert record.read_all(kubectl, SERVICES).keys() == set(SERVICES)
    assert record.read_all(kubectl, SERVICES[:3]).keys() == set(SERVICES[:3])
    assert len(splits_of_rollouts(kubectl, SERVICES)) == len(SERVICES)
    assert max(kubectl.requests) <= AT_ONCE
    assert len(kubectl.requests) == 3 + 3 + 3


def test_one_that_somebody_else_has_written_is_told_and_the_others_are_kept() -> None:
    """Also where it is in another part than they."""
    kubectl = Keeping("kubectl", "demo")
    kept = record.write(kubectl, STATES, {})
    record.write(kubectl, STATES[3:4], kept)
    with pytest.raises(record.AnotherWroteError):
        record.write(kubectl, STATES, kept)
    found = record.read_all(kubectl, SERVICES)
    assert {each.resource_version for each in found.values()} == {"2"}


def test_a_rollout_that_is_alone_is_one_request() -> None:
    """There are no others to be read with it."""
    kubectl = Keeping("kubectl", "demo")
    record.write(kubectl, STATES[:1], {})
    kubectl.requests.clear()
    assert record.together(kubectl, SERVICES[0]).keys() == {SERVICES[0]}
    assert kubectl.requests == [1]
