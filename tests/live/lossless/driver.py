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
from tests.live.lossless.random_changes.scene import OUTSIDE, somebody_elses
from weir.model.config.scaling import EXTERNAL
from weir.model.manifests.annotations import REPLICAS, annotation

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
    stack.apply(*somebody_elses(stack.namespace))
    for deployment in (
        "-n istio-ingress istio-ingress",
        f"-n {stack.namespace} own",
        f"-n {ELSEWHERE} other",
        f"-n {OUTSIDE} legacy",
    ):
        stack.run(f"kubectl rollout status deployment {deployment} --timeout=120s")
    address = stack.run("kubectl get service -n istio-ingress istio-ingress -o jsonpath={.spec.clusterIP}").strip()
    pod = "$(kubectl get pod -n istio-ingress -l istio=ingress -o name | head -1)"
    until(
        lambda: stack.succeeds(f"kubectl exec -n istio-ingress {pod} -- curl -sf -H host:{SHOP} localhost:80/"),
        60,
        "the gateway knows",
    )
    drawn = steps(seed, stack.namespace)
    names, config = next(drawn)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        batch = min(end, time.monotonic() + BATCH_SECONDS)
        with Load(stack, slow(stack), *_entering(address), elsewhere=True) as running:
            while time.monotonic() < batch:
                standing = _apply(stack, running, found, names, standing, config, tell)
                names, config = drawn.send(deepcopy(standing))
            found.tallies.append(running.stop())
        tell(f"{found.tallies[-1].figures()}")
    stack.run(f"kubectl delete --wait=false -f {MANIFEST}; kubectl delete namespace {ELSEWHERE} {OUTSIDE} --wait=false")
    return found


def _entering(address: str) -> list[Stream]:
    """Requests of the load's host at the gateway of this address, some at the paths that entries of hosts have."""
    paths = {"": (20, 2), "orders": (5, 1), "backend": (5, 1)}
    return [Stream(f"entering/{path}", f"http://{SHOP}/{path}", *rate, address) for path, rate in paths.items()]


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
        found.refused.update({reason(line) for line in refusals})
        # Also without a preview a refusal comes before anything is changed.
        outcome = f"refused: {reason(refusals[0])}" if _specs(stack) == objects else "FAILED: refused halfway"
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
        shown = {
            "lost": [f"{one.at} {one.code} {one.flag} {one.details} {one.rest}" for one in lost[:20]],
            "count": len(lost),
        }
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
            "get virtualservices,destinationrules,serviceentries,gateways,services,deployments,hpa "
            "-l app.kubernetes.io/managed-by=weir -o json"
        )
    )
    for item in items["items"]:
        # An autoscaler may act at any time.
        if annotation(item, REPLICAS) == EXTERNAL:
            item["spec"].pop("replicas", None)
    return {f"{item['kind']} {item['metadata']['name']}": item["spec"] for item in items["items"]}


REASONS = (
    "without an image",
    "createService",
    "clusterIP",
    "callers at port",
    "the pods' port",
    "would have the pods of",
    "would change where they go",
    "in the same update as the pods",
    "take hosts at gateways from each other",
    "selector",
    "labels of",
    "exportTo",
    "protocol",
    "0 replicas",
    "has 0 pods",
    "namespace",
)
"""Words of each refusal of the table in docs/reference/model.md that a drawn change may meet; the first that fits."""


def reason(line: str) -> str:
    """The kind of a refusal, without names and numbers of the case."""
    return next((words for words in REASONS if words in line), line[:100])
