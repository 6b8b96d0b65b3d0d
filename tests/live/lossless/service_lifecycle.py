"""The full life of a service under load, update by update, and what each update cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.live.harness import until
from tests.live.lossless.lab_stack import SAME_FORTIO, LabStack, backend, receiving
from tests.live.lossless.load import Failure, Load, Reading, Tally

Config = Mapping[str, Any]
QUIET_REQUESTS = 400
"""So many requests are looked at between two updates."""

_NEIGHBOUR = {
    "image": "hashicorp/http-echo:1.0.0",
    "port": 80,
    "targetPort": 5678,
    "versions": {"v1": {"args": ["-text=hi"]}},
    "stable": "v1",
}


def config(service: Mapping[str, Any], neighbour: bool = True) -> Config:
    return {"services": {"backend": service, **({"neighbour": _NEIGHBOUR} if neighbour else {})}}


START = config(backend("v1", v1={}))

STEPS: Mapping[str, Config] = {
    "add v2 at 5": config(backend("v1", {"v2": 5}, v1={}, v2={})),
    "v2 at 25": config(backend("v1", {"v2": 25}, v1={}, v2={})),
    "v2 at 50": config(backend("v1", {"v2": 50}, v1={}, v2={})),
    "promote v2": config(backend("v2", v1={}, v2={})),
    "retire v1": config(backend("v2", v2={})),
    "new image on v2": config(backend("v2", v2={"image": SAME_FORTIO})),
    "scale v2 to 3": config(backend("v2", v2={"image": SAME_FORTIO, "replicas": 3})),
    "scale v2 to 1": config(backend("v2", v2={"image": SAME_FORTIO})),
    "add v3, remove v2": config(backend("v3", v3={})),
    "v1 takes over, v3 to 0 pods": config(backend("v1", v1={}, v3={"replicas": 0})),
    "destroy the neighbour": config(backend("v1", v1={}), neighbour=False),
}


@dataclass(frozen=True)
class Step:
    """The figures of one update: its seconds, the requests from its beginning to the next
    one's, and where they went.
    """

    name: str
    seconds: float
    requests: int
    versions: Mapping[str, int]
    failed: int
    codes: Mapping[str, int]
    flags: Mapping[str, int]
    retried: int
    stray: Mapping[str, int]
    """Requests to versions that the config did not allow at that moment; "" for requests past all versions."""

    followed: float
    """Seconds after the update's end until no caller sent anything to a version that gets nothing any more."""

    def figures(self) -> dict[str, Any]:
        return {name: round(value, 2) if isinstance(value, float) else value for name, value in asdict(self).items()}


def live(stack: LabStack, load: Load, options: str = "") -> Iterator[Step]:
    """One round: every step of the life, each update begun when the one before is known to be followed; `options` are
    for `pulumi up`.
    """
    before, last = START, load.read()
    for name, wanted in STEPS.items():
        since = _now(stack)
        update = stack.up(wanted, options)
        old, new = receiving(before["services"]["backend"]), receiving(wanted["services"]["backend"])
        ended = time.monotonic()
        settled, followed = _settle(load, new, ended)
        quiet = _quiet(load, settled)
        changing, afterwards = settled.versions_since(last), quiet.versions_since(settled)
        stray = {version: count for version, count in changing.items() if version not in old | new}
        stray |= {version: count for version, count in afterwards.items() if version not in new}
        failures = load.failures(since)
        codes = {
            f"{digit}xx": quiet.sum(f"downstream_rq_{digit}xx") - last.sum(f"downstream_rq_{digit}xx")
            for digit in (2, 4, 5)
        }
        yield Step(
            name,
            update.seconds,
            quiet.requests() - last.requests(),
            _added(changing, afterwards),
            len(failures),
            {code: count for code, count in codes.items() if count},
            _flags(failures),
            # A cluster that is gone has taken its counter along, so this may only be read where it grew.
            max(0, quiet.sum("upstream_rq_retry") - last.sum("upstream_rq_retry")),
            stray,
            followed,
        )
        before, last = wanted, quiet


def told(step: Step) -> str:
    """One line for people."""
    where = ", ".join(f"{version or 'past the versions'} {count}" for version, count in step.versions.items())
    bad = f" FAILED {step.failed} {dict(step.flags)}" if step.failed else ""
    stray = f" STRAY {dict(step.stray)}" if step.stray else ""
    return f"{step.name:28} {step.seconds:5.1f} s {step.requests:7} requests ({where}){bad}{stray}"


def assert_lossless(steps: Sequence[Step], tally: Tally) -> None:
    """Zero errors, zero resets, and every answer from a version that the config allowed at that moment."""
    assert {step.name: step.stray for step in steps if step.stray} == {}
    assert {step.name: step.flags for step in steps if step.failed} == {}
    tally.assert_nothing_lost()


def _settle(load: Load, allowed: frozenset[str], ended: float) -> tuple[Reading, float]:
    """The reading from which on only allowed versions may get requests: the first after which nothing goes elsewhere
    any more.
    """
    readings = [load.read()]

    def followed() -> bool:
        readings.append(load.read())
        return set(readings[-1].versions_since(readings[-2])) <= allowed

    until(followed, 10, f"requests go to {', '.join(sorted(allowed))} alone")
    return readings[-1], time.monotonic() - ended


def _quiet(load: Load, start: Reading) -> Reading:
    """A reading some hundred requests later."""
    readings = [start]

    def enough() -> bool:
        readings.append(load.read())
        return readings[-1].requests() >= start.requests() + QUIET_REQUESTS

    until(enough, 30, f"{QUIET_REQUESTS} requests")
    return readings[-1]


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {version: one.get(version, 0) + other.get(version, 0) for version in sorted({*one, *other})}


def _flags(failures: Sequence[Failure]) -> dict[str, int]:
    return dict(Counter(failure.flag for failure in failures))


def _now(stack: LabStack) -> str:
    return stack.run("date -u +%Y-%m-%dT%H:%M:%SZ").strip()
