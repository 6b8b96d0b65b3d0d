"""Random changes under load: batches of steps, each with its requests and failures, and what was refused."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.live.harness import CHECKOUT, until
from tests.live.lossless.callers import ELSEWHERE
from tests.live.lossless.lab_stack import LabStack
from tests.live.lossless.load import Load, Stream, Tally, slow
from tests.live.lossless.random_changes import SHOP, Config, start, steps
from weir.model import ConfigError, load

MANIFEST = CHECKOUT / "docs" / "guide" / "ingress-gateway.yaml"
BATCH_SECONDS = 600
REFUSAL = "weir:force: true goes on anyway"


@dataclass
class RandomRun:
    """What became of it."""

    seed: int
    applied: Counter[str] = field(default_factory=Counter)
    """Changes by kind, of steps that were applied."""

    refused: Counter[str] = field(default_factory=Counter)
    """Refusals, by the line that says why up to what differs from case to case."""

    steps: int = 0
    tallies: list[Tally] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    """Steps in which a request failed, or that did not end as they should: kinds, config before and after, what was
    lost or said.
    """

    def figures(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "steps": self.steps,
            "changes": dict(sorted(self.applied.items())),
            "refused": dict(self.refused.most_common()),
            "requests": sum(tally.requests for tally in self.tallies),
            "failed": sum(tally.failed for tally in self.tallies),
            "connectionsLost": sum(tally.reconnects for tally in self.tallies),
            "failures": self.failures,
        }

    @property
    def lossless(self) -> bool:
        return not self.failures and not any(tally.failed or tally.failures for tally in self.tallies)


def drive(stack: LabStack, seed: int, seconds: float, tell: Callable[[str], None]) -> RandomRun:
    """Random changes for so long, under load with slow requests and some that enter at a gateway. The same seed draws
    the same changes.
    """
    found = RandomRun(seed)
    tell(f"seed {seed}")
    standing = start()
    stack.run(f"kubectl apply -f {MANIFEST}")
    stack.up(standing, "--skip-preview")
    stack.run("kubectl rollout status -n istio-ingress deploy/istio-ingress --timeout=120s")
    address = stack.run("kubectl get service -n istio-ingress istio-ingress -o jsonpath={.spec.clusterIP}").strip()
    pod = "$(kubectl get pod -n istio-ingress -l istio=ingress -o name | head -1)"
    until(
        lambda: stack.succeeds(f"kubectl exec -n istio-ingress {pod} -- curl -sf -H host:{SHOP} localhost:80/"),
        60,
        "the gateway knows",
    )
    drawn = steps(seed, lambda config: _sound(stack, config))
    names, config = next(drawn)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        batch = min(end, time.monotonic() + BATCH_SECONDS)
        with Load(stack, slow(stack), Stream("entering", f"http://{SHOP}/", 20, 2, address), elsewhere=True) as running:
            while time.monotonic() < batch:
                standing = _apply(stack, running, found, names, standing, config, tell)
                names, config = drawn.send(deepcopy(standing))
            found.tallies.append(running.stop())
        tell(f"{found.tallies[-1].figures()}")
    stack.run(f"kubectl delete --wait=false -f {MANIFEST}; kubectl delete namespace {ELSEWHERE} --wait=false")
    return found


def _apply(
    stack: LabStack,
    running: Load,
    found: RandomRun,
    names: tuple[str, ...],
    before: Config,
    after: Config,
    tell: Callable[[str], None],
) -> Config:
    """What stands after the step."""
    since = stack.run("date -u +%Y-%m-%dT%H:%M:%SZ").strip()
    reading, objects = running.read(), _specs(stack)
    stack.write(after)
    update = stack.pulumi("up --yes --skip-preview")
    found.steps += 1
    lost = running.failures(since)
    count = running.read().requests() - reading.requests()
    if refusals := [line.strip() for line in update.said.splitlines() if REFUSAL in line]:
        found.refused.update({_what(line) for line in refusals})
        # Also without a preview a refusal comes before anything is changed.
        outcome = f"refused: {_what(refusals[0])}" if _specs(stack) == objects else "FAILED: refused halfway"
    elif update.code == 0:
        found.applied.update(names)
        outcome = "applied"
    else:
        outcome = "FAILED"
    tell(
        f"{found.steps}: {', '.join(names)}: {outcome} in {update.seconds:.1f} s, {count} "
        f"requests{f', LOST {len(lost)}' if lost else ''}"
    )
    failed = outcome.startswith("FAILED")
    if lost or failed:
        shown = {"lost": [f"{one.at} {one.code} {one.flag} {one.details}" for one in lost[:20]], "count": len(lost)}
        found.failures.append(
            {
                "kinds": names,
                "before": before,
                "after": after,
                **shown,
                "said": update.said[-2000:] if update.code else "",
            }
        )
        tell(yaml.safe_dump(found.failures[-1], sort_keys=False))
    if failed:
        # What was begun is ended, or taken back, or the soak cannot go on.
        stack.up(before if refusals else after, "--skip-preview --refresh")
    return before if refusals else after


def _specs(stack: LabStack) -> dict[str, Any]:
    """What stands in the namespace of what weir makes."""
    items = json.loads(
        stack.kubectl(
            "get virtualservices,destinationrules,gateways,services,deployments -l app.kubernetes.io/managed-by=weir "
            "-o json"
        )
    )
    return {f"{item['kind']} {item['metadata']['name']}": item["spec"] for item in items["items"]}


def _what(line: str) -> str:
    """The kind of a refusal, without names and numbers of the case."""
    for words in (
        "without an image",
        "callers at port",
        "exportTo",
        "take hosts of expose",
        "protocol",
        "0 replicas",
        "namespace",
    ):
        if words in line:
            return words
    return line[:100]


def _sound(stack: LabStack, config: Config) -> bool:
    try:
        load({"namespace": stack.namespace, **config})
    except ConfigError:
        return False
    return True
