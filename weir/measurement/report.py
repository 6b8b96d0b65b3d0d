"""Measurements for people and for programs: a table that fits 80 columns, and JSON whose keys are a contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from weir.console import Console, Text
from weir.measurement.caller import Caller
from weir.measurement.judge import POWER, Check, percent
from weir.measurement.measure import Measurement
from weir.measurement.proxy_config import Arrival, ProxyRoute


def as_json(stack: str, caller: Caller, measurements: Sequence[Measurement], error_rate: float) -> dict[str, Any]:
    """The report as plain data. Shares and error rates are 0 to 1, times are seconds; keys are only ever added.

    ```
    stack, namespace   of the config client             {name, pod}: where requests were sent from errorRate
    probability that correct traffic fails the check ok                 whether every check of every service holds
    services[]         service, host, requests, seconds, ok, and
      answers          {"200": 998, "timed out (curl 28)": 2}
      attempts         {"v1": 801, "v2": 199, "": 0}: by the caller's Envoy; "" is past the versions
      slowestUndelayedSeconds, fastestDelayedSeconds    null where there is none
      proxy            {agrees, waitedSeconds, route}: what the caller's Envoy was told; route null where it has none,
      else
                       {shares, delay, abort, retries, timeoutSeconds}
      checks[]         {check, version, expected, observed, count, of, lo, hi, ok, detectableShift}; lo and hi are
      accepted
      notes[]          remarks that do not judge
    ```
    """
    return {
        "stack": stack,
        "namespace": caller.kubectl.namespace,
        "client": {"name": caller.name, "pod": caller.pod},
        "errorRate": error_rate,
        "ok": all(measurement.verdict.ok for measurement in measurements),
        "services": [_service(measurement) for measurement in measurements],
    }


def as_text(caller: Caller, measurements: Sequence[Measurement], error_rate: float) -> RenderableType:
    """The report for a terminal."""
    parts: list[RenderableType] = []
    for measurement in measurements:
        parts += [_headline(measurement, caller), _table(measurement.verdict.checks)]
        parts += [_line(line) for line in _remarks(measurement)]
    parts.append(_line(f"Bounds are exact: correct traffic fails the check once in {1 / error_rate:,.0f} runs."))
    parts.append(_line(f"shift: the smallest change of a share, in points, that {POWER:.0%} of runs detect."))
    return Group(*parts)


def show(console: Console, caller: Caller, measurements: Sequence[Measurement], error_rate: float) -> None:
    """Print the report for a terminal."""
    console.print(as_text(caller, measurements, error_rate))


def _line(text: str) -> Padding:
    return Padding(Text(text, style="dim"), (0, 1))


def _headline(measurement: Measurement, caller: Caller) -> Text:
    ok = measurement.verdict.ok
    line = Text(" ")
    line.append(measurement.target.name, style="bold")
    line.append(
        ": traffic is what the config says" if ok else ": traffic is NOT what the config says",
        style="green" if ok else "bold red",
    )
    line.append(f"\n {measurement.requests:,} requests from {caller.pod} in {measurement.seconds:.1f} s", style="dim")
    return line


def _table(checks: Sequence[Check]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    for column in ("check", "expected", "observed", "accepted", "shift", ""):
        table.add_column(column, justify="right" if column == "shift" else "left", overflow="fold")
    for check in checks:
        shift = "" if check.detectable is None else f"{check.detectable * 100:.1f}"
        verdict = Text("ok", style="green") if check.ok else Text("no", style="bold red")
        table.add_row(check.name, check.expected, check.observed, check.bound, shift, verdict)
    return table


def _remarks(measurement: Measurement) -> list[str]:
    timing = measurement.verdict.timing
    lines = []
    if timing.fastest_delayed is not None:
        others = "" if timing.slowest_undelayed is None else f", others at most {timing.slowest_undelayed:.2f} s"
        lines.append(f"Delayed requests took {timing.fastest_delayed:.2f} s or more{others}.")
    elif timing.slowest_undelayed is not None:
        lines.append(f"The slowest request took {timing.slowest_undelayed:.2f} s.")
    if not measurement.arrival.agrees:
        lines.append(
            f"After {measurement.arrival.seconds:.0f} s the caller's Envoy still has another route: "
            f"{_words(measurement.arrival)}."
        )
    return [*lines, *(note[:1].upper() + note[1:] + "." for note in measurement.verdict.notes)]


def _words(arrival: Arrival) -> str:
    route = arrival.route
    if route is None:
        return "none for this service"
    split = (
        ", ".join(f"{subset or 'the service as a whole'} {percent(share)}" for subset, share in route.shares.items())
        or "no version"
    )
    faults = (
        [f"{percent(route.delay.share)} delayed by {route.delay.seconds:g} s"]
        if route.delay and route.delay.seconds
        else []
    )
    faults += [f"{percent(route.abort.share)} aborted with {route.abort.status}"] if route.abort else []
    return "; ".join([split, *faults])


def _service(measurement: Measurement) -> dict[str, Any]:
    verdict, target, arrival = measurement.verdict, measurement.target, measurement.arrival
    return {
        "service": target.name,
        "host": target.service.host,
        "requests": measurement.requests,
        "seconds": round(measurement.seconds, 3),
        "ok": verdict.ok,
        "answers": measurement.answers,
        "attempts": measurement.attempts,
        "slowestUndelayedSeconds": verdict.timing.slowest_undelayed,
        "fastestDelayedSeconds": verdict.timing.fastest_delayed,
        "proxy": {
            "agrees": arrival.agrees,
            "waitedSeconds": round(arrival.seconds, 3),
            "route": None if arrival.route is None else _route(arrival.route),
        },
        "checks": [_check(check) for check in verdict.checks],
        "notes": list(verdict.notes),
    }


def _route(route: ProxyRoute) -> dict[str, Any]:
    delay, abort, retries = route.delay, route.abort, route.retries
    return {
        "shares": {subset: float(share) for subset, share in route.shares.items()},
        "delay": None if delay is None else {"share": float(delay.share), "seconds": delay.seconds},
        "abort": None if abort is None else {"share": float(abort.share), "status": abort.status},
        "retries": None
        if retries is None
        else {
            "attempts": retries.attempts,
            "perTryTimeoutSeconds": retries.per_try_timeout,
            "retryOn": list(retries.retry_on),
        },
        "timeoutSeconds": route.timeout,
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "check": check.kind,
        "version": check.version,
        "expected": check.expected,
        "observed": check.observed,
        "count": check.count,
        "of": check.of,
        "lo": check.lo,
        "hi": check.hi,
        "ok": check.ok,
        "detectableShift": check.detectable,
    }
