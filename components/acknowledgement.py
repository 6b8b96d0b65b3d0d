"""What proxies make of the rules that an update changes: an update whose rule they reject fails, and the rule is put
back as it was.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pulumi

from components.cluster import Cluster
from components.propagation import Propagation
from components.warned import warn
from weir.cluster.errors import ClusterError
from weir.cluster.istiod import CLUSTERS, LISTENERS, ROUTES
from weir.cluster.put_back import mark_lagging, put_back
from weir.cluster.rejections import Culprit, RejectedError
from weir.cluster.want import RouteWant, Want, seen_by
from weir.model.manifests.annotations import LAGGING, annotation
from weir.model.manifests.hosts import of_host
from weir.model.manifests.istio import belongs
from weir.model.manifests.subsets import owner_of, version_of
from weir.program_environment import FOLLOWED, HELD, may_write, variable

_TYPES = {
    ("Gateway",): LISTENERS,
    ("ServiceEntry", "DestinationRule"): CLUSTERS,
    ("VirtualService",): ROUTES,
}
"""Kinds of rules by the type of configuration that proxies get of them, in the order in which they are needed."""
_PUT_BACK_SECONDS = 3.0
_ANOTHER_SECONDS = 10.0
_HELD_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One rule that this update changes: `before` and `after` are its specs (None: it was not in the state), `stood`
    is the object as it was in the cluster.

    `again`: an update before this one has changed it, and gave up waiting for proxies.
    """

    kind: str
    namespace: str
    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    stood: Mapping[str, Any] | None
    again: bool = False

    @property
    def lagging(self) -> bool:
        """Whether the object says that proxies have not acknowledged it."""
        return annotation(self.stood, LAGGING) is not None

    @property
    def of_before(self) -> Mapping[str, Any] | None:
        """The spec that proxies had: what was in the cluster, which somebody may have edited."""
        return self.stood["spec"] if self.stood else self.before

    @property
    def host(self) -> str:
        """The service that it is about, in full, or its version at an external host; empty for a Gateway, and for the
        VirtualService of a host there.
        """
        if self.kind == "VirtualService" and of_host(self.after):
            return ""
        hosts = self.after["hosts"] if self.kind in ("VirtualService", "ServiceEntry") else [self.after.get("host", "")]
        return str(hosts[0])

    def is_of(self, culprit: Culprit) -> bool:
        """Whether this is the object. A cluster names one of the rules that Istio has merged for its host, by any of
        their names.
        """
        same = (self.kind, self.namespace) == (culprit.kind, culprit.namespace)
        return same and (self.name == culprit.name or (self.kind == "DestinationRule" and _subset(self.after, culprit)))


def _subset(spec: Mapping[str, Any], culprit: Culprit) -> bool:
    return any(culprit.part == f"subset {subset['name']}" for subset in spec.get("subsets", []))


class Acknowledgement:
    """The rules that one run of the program changes, and what has come of them."""

    def __init__(self, cluster: Cluster, propagation: Propagation, *, force: bool) -> None:
        """`force`: go on where proxies reject what was there before."""
        self._cluster, self._propagation, self._force = cluster, propagation, force
        self._changes: dict[tuple[str, str, str], RuleChange] = {}
        self._followed: dict[str, int] = {}
        self._held: asyncio.Future[None] | None = None

    async def note(self, args: pulumi.ResourceHookArgs) -> None:
        """Hook, the last one: a rule is about to change, once it may. With the first it is noted how far istiod is."""
        inputs: Any = args.new_inputs
        before: Any = args.old_inputs
        kind, metadata = inputs["kind"], inputs["metadata"]
        if pulumi.runtime.is_dry_run() or not isinstance(inputs["spec"], Mapping):
            return
        stood = await self._cluster.standing(metadata["namespace"], kind, metadata["name"])
        change = RuleChange(
            kind, metadata["namespace"], metadata["name"], before["spec"] if before else None, inputs["spec"], stood
        )
        self._changes[(kind, change.namespace, change.name)] = change
        if variable(HELD):
            self._held = self._held or asyncio.ensure_future(self._until_known())
            await asyncio.shield(self._held)
        await self._propagation.mark()

    async def _until_known(self) -> None:
        """Return once rules may be written. Raises RunError where they may not."""
        while may_write() is None:
            await asyncio.sleep(_HELD_SECONDS)
        if not may_write():
            raise pulumi.RunError("nothing was written: what was prepared is not wanted any more")
        # What istiod has sent meanwhile is no answer to this.
        self._propagation.begin()

    def changes(self, kind: str, namespace: str, name: str) -> bool:
        """Whether this update changes the rule."""
        return (kind, namespace, name) in self._changes

    def note_lagging(self, found: Mapping[str, Any]) -> None:
        """A rule that proxies had not acknowledged when the last update gave up is one to wait for."""
        kind, namespace, name = found["kind"], found["metadata"]["namespace"], found["metadata"]["name"]
        change = RuleChange(kind, namespace, name, found["spec"], found["spec"], found, again=True)
        if change.lagging and not self._force:
            self._changes[(kind, namespace, name)] = change

    async def acknowledged(self, namespace: str, name: str, host: str) -> None:
        """Return when proxies have acknowledged what this update changes of a service (`host` in full), or of the
        Gateway, or of the host at gateways, whose object is called `name` (no host).
        """
        changes = self._of(namespace, host)
        changes = changes if host else [change for change in changes if change.name == name]
        for want, part in _wants(host, changes):
            proxies = await self._taken(want, part)
            if proxies is None:
                # Where istiod cannot be asked, one grace is for all.
                return
            if want.changed == ROUTES:
                self._report(host or name, proxies)
            await self._mark_lagging([change for change in part if change.lagging], lagging=False)

    async def _mark_lagging(self, changes: Iterable[RuleChange], *, lagging: bool) -> None:
        """Note it on the objects, which is where the next update looks."""
        for change in changes:
            try:
                kubectl = self._cluster.kubectl(change.namespace)
                await self._cluster.aside(partial(mark_lagging, kubectl, change.kind, change.name, lagging))
            except ClusterError as error:
                will = "will not wait for it" if lagging else "waits for it once more"
                warn(f"{error}; the next update {will}")

    def _report(self, what: str, proxies: int) -> None:
        """Tell the command that this update is a release of."""
        self._followed[what] = proxies
        if path := variable(FOLLOWED):
            Path(path).write_text(json.dumps(self._followed), encoding="utf-8")

    async def known(self, want: Want) -> None:
        """Return when proxies know the versions that are wanted. The rules of their host that they reject are put
        back.
        """
        changes = [change for change in self._of(want.namespace, want.host) if change.kind == "DestinationRule"]
        written = {subset["name"] for change in changes for subset in change.after.get("subsets", [])}
        there = await self._cluster.ask(lambda: self._cluster.state(want.namespace).subsets(want.host), want.known)
        # Another Service is no rule's.
        if missing := {version for version in want.known if ":" not in version} - written - there:
            raise pulumi.RunError(
                f"no DestinationRule in the cluster has the subset {', '.join(sorted(missing))} of {want.service} any "
                "more: it was put back because proxies rejected it, or removed by hand. Correct the config, or apply "
                "it again: pulumi up --refresh"
            )
        await self._taken(want, changes)

    def _of(self, namespace: str, host: str) -> list[RuleChange]:
        return [
            change
            for change in self._changes.values()
            if change.namespace == namespace and (belongs(change.host, host) if host else not change.host)
        ]

    async def _taken(self, want: Want, changes: Sequence[RuleChange]) -> int | None:
        """Wait for it: how many proxies have it; None where they cannot be asked, or what they reject is left alone."""
        give_up = time.monotonic() + _ANOTHER_SECONDS
        while True:
            try:
                return await self._propagation.wait(want, await self._propagation.mark())
            except pulumi.RunError:
                if want.changed:
                    await self._mark_lagging(changes, lagging=True)
                raise
            except RejectedError as error:
                culprit = error.rejections[0].culprit
                ours = [change for change in changes if not change.again and (culprit is None or change.is_of(culprit))]
                if ours and not error.standing:
                    raise pulumi.RunError(await self._undone(want, ours, error)) from None
                other = culprit is not None and any(
                    change.is_of(culprit) for change in self._changes.values() if not change.again
                )
                if not other or time.monotonic() > give_up:
                    self.refuse(error)
                    return None
            # Another service's rule, changed by this update too, is at fault: it is being put back.
            await asyncio.sleep(0.1)

    def refuse(self, error: RejectedError) -> None:
        """Raise RunError for a rejection that this update did not cause; with `force`, warn and go on."""
        if self._force:
            warn(f"{error}; weir:force goes on anyway")
            return
        raise pulumi.RunError(
            f"{error}\nThis update did not cause the rejection. Fix that object first, or set weir:force: true to go "
            "on anyway"
        )

    async def _undone(self, want: Want, changes: Sequence[RuleChange], error: RejectedError) -> str:
        """Put the rules back as they were; what to say of it."""
        names = ", ".join(f"{change.kind} {change.namespace}/{change.name}" for change in changes)
        try:
            for change in changes:
                await self._cluster.aside(lambda change=change: self._put_back(change))  # type: ignore[misc]
        except ClusterError as failed:
            return f"{error}\n{failed}. Until it is put back, proxies keep the configuration that they have"
        removed = all(change.stood is None for change in changes)
        done = f"{names} {'is removed again' if removed else 'is put back as it was'}"
        try:
            await self._propagation.wait(
                Want(want.host, changed=error.rejections[0].kind, seen_by=want.seen_by), None, _PUT_BACK_SECONDS
            )
        except (ClusterError, pulumi.RunError) as left:
            done += f", but proxies have not acknowledged that yet: {left}"
        # What Pulumi believes to be there, and is not, it cannot change.
        return (
            f"{error}\n{done}. Correct the config, then run pulumi "
            f"up{' --refresh' if any(change.stood is None for change in changes) else ''}"
        )

    def _put_back(self, change: RuleChange) -> None:
        put_back(self._cluster.kubectl(change.namespace), change.kind, change.name, change.stood)


def _wants(host: str, changes: Iterable[RuleChange]) -> Iterator[tuple[Want, list[RuleChange]]]:
    """What proxies are to acknowledge, subsets before the routes that name them; with the rules that each is about."""
    for kinds, changed in _TYPES.items():
        if part := [change for change in changes if change.kind in kinds]:
            again = all(change.again for change in part)
            routes = route_wants(part[0].of_before, part[0].after) if changed == ROUTES else ()
            specs = [spec for change in part for spec in (change.of_before, change.after)]
            seen = seen_by(part[0].namespace, *specs) if host else None
            yield Want(host, changed=changed, routes=routes, seen_by=seen, again=again), part


def route_wants(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[RouteWant, ...]:
    """The routes of a VirtualService by whose shares or fault a proxy's configuration after the change can be told
    from that before it.
    """
    at = str(after["hosts"][0]) if of_host(after) else ""
    old, new = _routes(before or {}, at), _routes(after, at)
    return tuple(route for name, route in new.items() if route != old.get(name))


def _routes(spec: Mapping[str, Any], at: str) -> dict[str, RouteWant]:
    return {
        route["name"]: RouteWant(
            route["name"],
            tuple(
                # One destination gets all, whatever its weight. The engine hands numbers on as floats.
                (version_of(each["destination"]), int(each["weight"]) if len(route["route"]) > 1 else 1)
                for each in route["route"]
                if each.get("weight", 0) > 0 or len(route["route"]) == 1
            ),
            "fault" in route,
            at,
            next(filter(None, (owner_of(each["destination"]) for each in route["route"])), "") if at else "",
        )
        for route in spec.get("http", [])
        if route.get("name") and route.get("route") and all(version_of(each["destination"]) for each in route["route"])
    }
