"""The status of services for people, on a terminal of 80 columns or more, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

from weir.cli.host_status import HostStatus, host_lines
from weir.cli.service_status import ServiceStatus, VersionStatus
from weir.console import Text
from weir.measurement.observed import Observation
from weir.model.config.actions import Fault
from weir.model.routing.expiry import ago
from weir.model.routing.words import as_json as change_as_json
from weir.model.routing.words import describe, fault, percent
from weir.model.values.instants import Instant
from weir.rollout.state import for_programs, in_words

_BAR = 20


def view(
    services: Sequence[ServiceStatus], remarks: Sequence[str], *, hosts: Sequence[HostStatus] = (), bars: bool = False
) -> RenderableType:
    """A table for each service, and below it what is out of the ordinary, then the hosts at gateways; `bars` shows
    what is observed as bars as well.
    """
    parts: list[RenderableType] = []
    for status in services:
        parts += [_table(status, bars), *_notes(status), Text()]
    parts += [*host_lines(hosts), Text()] if hosts else []
    return Group(*parts, *(Text(remark, style="yellow") for remark in remarks))


def _table(status: ServiceStatus, bars: bool) -> Table:
    table = Table(
        title=status.name, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    seen = status.observed
    columns = ["version", "config", "live", *(["observed", "errors", "p50", "p99"] if seen else []), "pods ready"]
    for column in columns:
        table.add_column(column, justify="left" if column == "version" else "right", no_wrap=True)
    if seen and bars:
        table.add_column("")
    for version in status.versions:
        pods = version.elsewhere if version.desired is None else f"{version.ready} of {version.desired}"
        cells: list[RenderableType] = [
            version.name,
            _percent(version.configured),
            _percent(version.live),
            *_seen(version.name, seen),
            pods,
        ]
        if seen and bars:
            cells.append(ProgressBar(total=1, completed=seen.share(version.name) or 0, width=_BAR))
        table.add_row(*cells)
    return table


def _seen(version: str, seen: Observation | None) -> list[str]:
    if seen is None:
        return []
    share, counts = seen.share(version), seen.versions.get(version)
    if counts is None or not counts.requests:
        return ["–" if share is None else _rounded(share), "–", "–", "–"]
    return [
        _rounded(share or 0),
        _rounded(counts.errors / counts.requests),
        *(latency(counts.quantile(each)) for each in (0.5, 0.99)),
    ]


def _notes(status: ServiceStatus) -> Iterator[Text]:
    now = datetime.now(UTC)
    seen = status.observed
    if seen is not None:
        requests = f"{seen.requests:,} requests" if seen.requests else "no requests"
        callers = "1 sidecar" if seen.callers == 1 else f"{seen.callers} sidecars"
        yield Text(f"{requests} seen by {callers} in {seen.seconds:.1f} s", style="dim")
        past = seen.versions.get("")
        if past is not None and past.requests:
            yield Text(f"{past.requests:,} of them went to the service as a whole, not to a version", style="yellow")
    if status.rollout is not None:
        rest = "" if status.rollout.phase == "aborted" else f"; weir rollout {status.name} goes on with it"
        yield Text(f"{in_words(status.rollout, now)}{rest}", style="yellow")
    for route, each in status.faults.items():
        yield Text(f"fault in force, {route}: {fault(each)}{_left(each, now)}", style="yellow")
    for version in status.versions:
        if version.failure:
            yield Text(f"{version.name} did not become ready: {version.failure}", style="red")
    if status.drift is None:
        yield Text("not in the cluster yet: pulumi up", style="yellow")
    elif status.drift:
        yield Text("the cluster differs from the config (what is → what will be):", style="yellow")
        yield from (Text(f"  {describe(change)}") for change in status.drift)
        yield Text("pulumi up applies the config; pulumi up --refresh also undoes what was edited by hand")


def _left(each: Fault, now: datetime) -> str:
    if each.until is None:
        return "; no end"
    if each.until.moment <= now:
        return f"; it expired {ago(now - each.until.moment)} ago and was not removed: weir drill --clean"
    return f" ({ago(each.until.moment - now)} left)"


def _percent(share: Fraction | None) -> str:
    return "–" if share is None else percent(share)


def _rounded(share: float) -> str:
    return f"{100 * share:.1f} %"


def latency(value: float | None) -> str:
    """Seconds as people read them: 12 ms, 1.34 s; a dash where nothing is known."""
    if value is None:
        return "–"
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.0f} ms"


def as_json(status: ServiceStatus) -> dict[str, Any]:
    """For programs; keys are only ever added. Percents are 0 to 100, times are seconds, moments RFC 3339; null where
    nothing is known.

    ```
    name, inCluster versions[]   {name, configuredPercent, livePercent, observedPercent, requests, errorPercent,
    p50Seconds, p99Seconds, readyPods, desiredPods,
              failure (why pods do not become ready), elsewhere (HOST:PORT)}
    observed     {seconds, requests, callers, pastVersions}, or null faults[]     {route, fault (in words), until}
    drift[]      what an update would change, from what is in the cluster to what the config says, in words
    differences[]  the same as data: {kind, route, version, before, after, text}
    rollout      the one under way, or null
    retires      {version, at}: the version that a promotion has replaced, and when it is retired, or null
    ```
    """
    seen, rollout = status.observed, status.rollout
    retire = rollout.retire if rollout else None
    return {
        "name": status.name,
        "inCluster": status.drift is not None,
        "versions": [_version(version, seen) for version in status.versions],
        "observed": None
        if seen is None
        else {
            "seconds": round(seen.seconds, 3),
            "requests": seen.requests,
            "callers": seen.callers,
            "pastVersions": seen.versions[""].requests if "" in seen.versions else 0,
        },
        "faults": [
            {"route": route, "fault": fault(each), "until": None if each.until is None else each.until.text}
            for route, each in status.faults.items()
        ],
        "drift": list(map(describe, status.drift or ())),
        "differences": list(map(change_as_json, status.drift or ())),
        "rollout": None if rollout is None or rollout.over else for_programs(rollout),
        "retires": None
        if rollout is None or retire is None
        else {"version": rollout.stable, "at": Instant.at(retire).text},
    }


def _version(version: VersionStatus, seen: Observation | None) -> dict[str, Any]:
    counts = seen.versions.get(version.name) if seen else None
    share = seen.share(version.name) if seen else None
    some = counts is not None and counts.requests > 0
    return {
        "name": version.name,
        "configuredPercent": None if version.configured is None else float(version.configured),
        "livePercent": None if version.live is None else float(version.live),
        "observedPercent": None if share is None else round(100 * share, 3),
        "requests": counts.requests if counts else None,
        "errorPercent": round(100 * counts.errors / counts.requests, 3) if counts and some else None,
        "p50Seconds": counts.quantile(0.5) if counts and some else None,
        "p99Seconds": counts.quantile(0.99) if counts and some else None,
        "readyPods": version.ready,
        "desiredPods": version.desired,
        "failure": version.failure,
        "elsewhere": version.elsewhere or None,
    }
