"""`weir status`: what the config says and what stands in the cluster, side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from weir.cli.options import find_service, json_option, kubectl_for, load_stack, real_namespace, stack_options
from weir.cluster.live import Live
from weir.model import ServiceTraffic, StackConfig, mesh, read, traffic
from weir.model.changes import changes, fault, percent, percents


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version: percent of the default route as configured and in the cluster (None: not named there), ready and desired pods (None: no Deployment)."""

    name: str
    configured: Fraction | None
    live: Fraction | None
    ready: int | None
    desired: int | None


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service. `drift` has every difference from the config to the cluster; None where it does not stand there at all."""

    name: str
    versions: tuple[VersionStatus, ...]
    faults: tuple[str, ...]
    drift: tuple[str, ...] | None


@click.command("status")
@click.argument("service", required=False)
@stack_options
@json_option
def command(service: str | None, stack: str, file: Path | None, as_json: bool) -> None:
    """Show each service: configured and live share of each version, pods, faults in force, and what differs from the config.

    Ends with 0 whether or not something differs. SERVICE shows one alone.
    """
    config = load_stack(stack, file)
    if service is not None:
        find_service(config, service)
    namespace = real_namespace(config, stack, file)
    live = Live(kubectl_for(config, file, namespace))
    found = [_status(name, config, namespace, live) for name in config.services if service in (None, name)]
    if as_json:
        click.echo(json.dumps({"stack": stack, "namespace": namespace, "services": [_as_json(entry) for entry in found]}, indent=2))
        return
    console = Console()
    for entry in found:
        _show(console, entry)


def _status(name: str, config: StackConfig, namespace: str, live: Live) -> ServiceStatus:
    wanted = traffic(config.services[name], namespace)
    there = _live_traffic(name, mesh(config, namespace).services[name].host, live)
    configured, actual = _default(wanted), _default(there) if there else {}
    names = dict.fromkeys((*config.services[name].versions, *configured, *actual, *(there.versions if there else ())))
    versions = []
    for version in names:
        deployment = live.find("Deployment", f"{name}-{version}")
        ready = deployment["status"].get("readyReplicas", 0) if deployment else None
        desired = deployment["spec"].get("replicas", 1) if deployment else None
        versions.append(VersionStatus(version, configured.get(version), actual.get(version), ready, desired))
    faults = tuple(f"{route.name}: {fault(route.fault)}" for route in (there.routes if there else ()) if route.fault)
    return ServiceStatus(name, tuple(versions), faults, None if there is None else tuple(changes(wanted, there)))


def _live_traffic(name: str, host: str, live: Live) -> ServiceTraffic | None:
    route = live.find("VirtualService", name)
    if route is None:
        return None
    rules = [item for (kind, _), item in sorted(live.objects.items()) if kind == "DestinationRule" and item["spec"].get("host") == host]
    return read(route, rules)


def _default(service: ServiceTraffic) -> dict[str, Fraction]:
    return percents(service.routes[-1].weights) if service.routes else {}


def _show(console: Console, status: ServiceStatus) -> None:
    table = Table(title=status.name, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in ("version", "configured", "live", "pods ready"):
        table.add_column(column, justify="left" if column == "version" else "right")
    for version in status.versions:
        pods = "" if version.desired is None else f"{version.ready} of {version.desired}"
        table.add_row(version.name, _percent(version.configured), _percent(version.live), pods)
    console.print(table)
    for line in status.faults:
        console.print(f"fault in force, {line}", style="yellow", highlight=False)
    if status.drift is None:
        console.print("not in the cluster yet: pulumi up", style="yellow", highlight=False)
    elif status.drift:
        console.print("the cluster differs from the config:", style="yellow", highlight=False)
        for line in status.drift:
            console.print(f"  {line}", highlight=False, markup=False)
        console.print("pulumi up applies the config; pulumi up --refresh also undoes what was edited by hand", highlight=False)
    console.print()


def _percent(share: Fraction | None) -> str:
    return "–" if share is None else percent(share)


def _as_json(status: ServiceStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "versions": [
            {
                "name": version.name,
                "configuredPercent": None if version.configured is None else float(version.configured),
                "livePercent": None if version.live is None else float(version.live),
                "readyPods": version.ready,
                "desiredPods": version.desired,
            }
            for version in status.versions
        ],
        "faults": list(status.faults),
        "inCluster": status.drift is not None,
        "drift": list(status.drift or ()),
    }
