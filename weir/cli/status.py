"""`weir status`: what the config says, what stands in the cluster, and what callers see of it, side by side."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.live import Live as LiveView

from weir.cli.context import Context
from weir.cli.host_status import HostStatus, host_statuses
from weir.cli.host_status import as_json as host_as_json
from weir.cli.options import json_option, stack_options
from weir.cli.recovery import last_update, looked
from weir.cli.service_status import ServiceStatus, VersionStatus, worth_saying
from weir.cli.statusview import as_json, view
from weir.cluster.entrances import claimed_by_others, unserved
from weir.cluster.errors import ClusterError
from weir.cluster.live import Live
from weir.cluster.version_secrets import secrets_of_weir, unused
from weir.cluster.workloads import WorkloadState, state_of, without_pods, workload_state
from weir.console import Console, Text
from weir.measurement.caller import Caller
from weir.measurement.clusters import measured
from weir.measurement.observed import MAX_CALLERS, Observation, Taken, observe
from weir.model import Service, ServiceTraffic, mesh, traffic, without_ended
from weir.model.manifests.annotations import OWNER, annotation
from weir.model.manifests.hazards import orphans
from weir.model.routing.diff import changes, percents
from weir.model.routing.hosts import claims
from weir.rollout.record import read_all
from weir.rollout.state import State
from weir.stack.stackfile import qualified

_HISTORY_SECONDS = 30.0


@click.command("status")
@click.argument("service", required=False)
@stack_options
@click.option(
    "--window",
    metavar="SECONDS",
    type=click.FloatRange(0, 3600),
    default=2.0,
    show_default=True,
    help="How long callers' Envoys are watched; 0: not at all.",
)
@click.option("--watch", is_flag=True, help="Draw it anew, window after window, until Ctrl-C.")
@json_option
def command(service: str | None, stack: str, file: Path | None, window: float, watch: bool, as_json: bool) -> None:
    """Show each service: configured, live and observed share of each version, pods, errors and latency, faults in
    force, and what differs from the config.

    Observed is what the sidecars of the stack's namespace have counted in the window, retries included. Ends with 0
    whether or not something differs. SERVICE shows one alone.
    """
    context = Context(stack, file)
    if file is None:
        looked(context)
    if service is not None:
        context.service(service)
    look = _Looking(context, [name for name in context.config.services if service in (None, name)], window)
    if not watch:
        _print(look, look.once(), as_json)
    elif as_json or not sys.stdout.isatty():
        while True:
            _print(look, look.once(), as_json, indent=None)
    else:
        _watch(look)


def _watch(look: _Looking) -> None:
    """Draw it anew, window after window; the last one stays on the screen."""
    window, look.window = look.window, 0
    head = _head(look)
    last: RenderableType = ""
    try:
        with LiveView(console=Console(), auto_refresh=False, screen=True) as drawn:
            while True:
                # The first has nothing observed, and so nothing to wait for.
                last = Group(head, view(look.once(), look.remarks, hosts=look.hosts, bars=True))
                drawn.update(last, refresh=True)
                look.window = window
    finally:
        Console().print(last)


def _head(look: _Looking) -> RenderableType:
    return Text(f"stack {look.context.stack}, namespace {look.context.namespace}\n")


def _print(look: _Looking, found: Sequence[ServiceStatus], json_wanted: bool, indent: int | None = 2) -> None:
    if json_wanted:
        document = {
            "stack": look.context.stack,
            "namespace": look.context.namespace,
            "services": [as_json(entry) for entry in found],
            "hosts": [host_as_json(host) for host in look.hosts],
            "lastUpdate": look.update,
            "remarks": list(look.remarks),
        }
        click.echo(json.dumps(document, indent=indent))
    else:
        Console().print(_head(look), view(found, look.remarks, hosts=look.hosts))


@dataclass
class _Looking:
    """One look after the other at the same services, `names`."""

    context: Context
    names: Sequence[str]
    window: float
    last: Taken | None = None
    hosts: tuple[HostStatus, ...] = ()
    remarks: tuple[str, ...] = ()
    update: str = ""
    _told: tuple[float, str] = (-math.inf, "")

    def once(self) -> list[ServiceStatus]:
        """All of them now."""
        context, live = self.context, Live(self.context.kubectl)
        self.remarks = ()
        # Pulumi's history, the sidecars, the gateways' pods and Secrets are read beside each other.
        with ThreadPoolExecutor(3) as aside:
            told = (
                aside.submit(self._last_update),
                aside.submit(self._entrances),
                aside.submit(self._unused_secrets, live),
            )
            rollouts = aside.submit(self._rollouts)
            seen = self._observed()
            for remarks in told:
                self.remarks += remarks.result()
            last = rollouts.result()
        self.remarks += _left_over(context, live)
        services = mesh(context.config, context.namespace).services
        self.remarks += tuple(without_pods(live, {name: services[name] for name in self.names}))
        self.hosts = tuple(host_statuses(context, live, self.names))
        statuses = [_status(name, context, live) for name in self.names]
        return [
            replace(
                each,
                observed=seen.get(context.config.host(each.name, context.namespace)),
                rollout=worth_saying(last.get(each.name), each.versions),
            )
            for each in statuses
        ]

    def _rollouts(self) -> dict[str, State]:
        """The last one of each service. An account that may not read their ConfigMaps hears nothing of them."""
        try:
            found = read_all(self.context.kubectl, self.names, readable=True)
        except ClusterError:
            return {}
        return {service: each.state for service, each in found.items()}

    def _last_update(self) -> tuple[str, ...]:
        """What to say of the last update; who watches is told anew every half a minute."""
        if self.context.file is None and time.monotonic() - self._told[0] > _HISTORY_SECONDS:
            self.update, remark = last_update(self.context)
            self._told = time.monotonic(), remark
        return (self._told[1],) if self._told[1] else ()

    def _entrances(self) -> tuple[str, ...]:
        """Gateways without pods, and hosts that another stack has. An account for one namespace may not see those of
        all, and then nothing is said.
        """
        kubectl, config = self.context.kubectl, self.context.config
        own, stack = list(claims(config, self.context.namespace)), _owner(self.context)
        found: list[str] = []
        for question in (
            unserved(kubectl, config.gateways),
            claimed_by_others(kubectl, own, lambda other: other.partition("/")[2] == stack),
        ):
            with suppress(ClusterError):
                found += question
        return tuple(found)

    def _unused_secrets(self, live: Live) -> tuple[str, ...]:
        """Secrets that the stack has made and that no pods take. An account that may not list Secrets hears nothing of
        them.
        """
        try:
            found = unused(secrets_of_weir(live.kubectl), live.objects, _owner(self.context))
        except ClusterError:
            return ()
        namespace = self.context.namespace
        return tuple(
            f"Secret {namespace}/{name} was made by this stack, and no pods use it: pulumi up removes it. If it does "
            f"not, a killed update has left it: kubectl delete -n {namespace} secret {name}"
            for name in found
        )

    def _observed(self) -> Mapping[str, Observation]:
        """What callers see; where they cannot be asked, that is said and the rest is shown all the same."""
        if not self.window:
            return {}
        try:
            callers = Caller.all(self.context.kubectl)
            if len(callers) > MAX_CALLERS:
                self.remarks = (f"observed by {MAX_CALLERS} of {len(callers)} sidecars",)
            config, namespace = self.context.config, self.context.namespace
            counted = [
                measured(service, traffic(service, namespace), config.host(name, namespace))
                for name in self.names
                for service in [config.services[name]]
            ]
            seen, self.last = observe(callers[:MAX_CALLERS], counted, self.window, self.last)
        except ClusterError as error:
            self.remarks = (f"nothing was observed: {error}",)
            return {}
        return seen


def _owner(context: Context) -> str:
    return qualified(context.stack, context.project)


def _left_over(context: Context, live: Live) -> tuple[str, ...]:
    """What this stack has made there and its config does not have."""
    stack = _owner(context)
    owners = {annotation(found, OWNER) or "" for found in live.objects.values()}
    own = next((owner for owner in owners if owner.partition("/")[2] == stack), None)
    left = orphans(mesh(context.config, context.namespace).objects(), live.objects, own) if own else []
    return tuple(
        (
            f"{kind} {context.namespace}/{name} was made by this stack and is not in its config: pulumi up removes it. "
            "If a killed update has left it, pulumi up prints the command that removes it"
        )
        for kind, name in left
    )


def _status(name: str, context: Context, live: Live) -> ServiceStatus:
    config, namespace = context.config, context.namespace
    # A fault whose end has passed is left out of the next update, and so is no part of what is wanted.
    wanted = traffic(without_ended(config, datetime.now(UTC)).services[name], namespace)
    there = live.traffic(name, config.host(name, namespace))
    configured, actual = _default(wanted), _default(there) if there else {}
    names = dict.fromkeys((*config.services[name].versions, *configured, *actual, *(there.versions if there else ())))
    versions = []
    for version in names:
        pods, failure = _pods(name, version, config.services[name], live)
        ready, desired = (pods.ready, pods.desired) if pods else (None, None)
        place = wanted.elsewhere.get(version) or (there.elsewhere.get(version) if there else None)
        shares = configured.get(version), actual.get(version)
        where = str(place) if place and not pods else ""
        versions.append(VersionStatus(version, *shares, ready, desired, failure, where))
    faults = {route.name: route.fault for route in (there.routes if there else ()) if route.fault}
    return ServiceStatus(name, tuple(versions), faults, None if there is None else tuple(changes(name, there, wanted)))


def _pods(service: str, version: str, config: Service, live: Live) -> tuple[WorkloadState | None, str]:
    """How many pods of a version there are, and why some of them are not ready; None where nobody is known to run
    any.
    """
    workload = config.versions[version].workload if version in config.versions else None
    if workload is not None:
        there = workload_state(live.kubectl, workload)
        if there is None:
            return None, f"{workload} is not in namespace {live.kubectl.namespace}"
        lacking = there.ready < there.desired and there.selector
        return there, live.failure_reason_of(there.selector) if lacking else ""
    deployment = live.find("Deployment", f"{service}-{version}")
    return (state_of(deployment), live.failure(service, version)) if deployment else (None, "")


def _default(service: ServiceTraffic) -> dict[str, Fraction]:
    return percents(service.routes[-1].weights) if service.routes else {}
