"""The components of Istio's objects: DestinationRule, VirtualService, Gateway. Each is one custom resource that
proxies have acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.args import DestinationRuleArgs, GatewayArgs, MeshServiceArgs, VersionArgs, VirtualServiceArgs
from components.checked import Checked
from components.placement import Place, placed
from components.safeguards import Safeguards
from components.standing import standing
from weir.model import Manifest
from weir.model.manifests.annotations import RESTORED, SPEC, digest
from weir.model.manifests.istio import gateway
from weir.model.manifests.mesh import ServiceObjects, service_objects


@dataclass(frozen=True, kw_only=True)
class Made:
    """An object that a component is to create, instead of making one from arguments.

    `manifest` says all but the hosts, before anything runs; `spec` is its own, with the real namespace in its hosts.
    """

    manifest: Manifest
    spec: pulumi.Input[dict[str, Any]]
    place: Place


class IstioObject(pulumi.ComponentResource):
    """One object of Istio. A subclass says which by its token, and why it comes and goes when it does."""

    token: ClassVar[str]
    resource: CustomResource
    stands: pulumi.Output[bool]
    """Known once it stands in the cluster as it was written."""

    def __init__(self, name: str, made: Made, opts: pulumi.ResourceOptions | None = None) -> None:
        """`name` is Pulumi's; the object has that of its manifest."""
        super().__init__(self.token, name, None, opts)
        manifest, place = made.manifest, made.place
        kind, own = manifest["kind"], manifest["metadata"]["name"]

        async def marks(known: Mapping[str, Any]) -> dict[str, str]:
            undone = await place.guard.drift.restored(kind, own, str(known["namespace"]))
            # Who edited it owns the fields since. That weir may take them back is asked before, by what refuses to
            # overwrite edits unseen.
            return {
                SPEC: digest(known["spec"]),
                **({RESTORED: undone, "pulumi.com/patchForce": "true"} if undone else {}),
            }

        wanted = {
            "apiVersion": manifest["apiVersion"],
            "kind": kind,
            "metadata": placed(
                manifest, place, pulumi.Output.all(spec=made.spec, namespace=place.namespace).apply(marks)
            ),
            "spec": made.spec,
        }
        self.resource = CustomResource(
            name,
            api_version=manifest["apiVersion"],
            kind=kind,
            metadata=wanted["metadata"],
            spec=made.spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=place.after, hooks=self.hooks(place.guard)),
        )
        self.stands = pulumi.Output.all(
            wanted=wanted, recorded=self.resource.metadata, id=self.resource.id, namespace=place.namespace
        ).apply(lambda known: self._stands(place.guard, name, known))
        self.register_outputs({"object": own})

    async def _stands(self, guard: Safeguards, name: str, known: Mapping[str, Any]) -> bool:
        await guard.rewriting.stands(name, known["wanted"], known["recorded"] or {}, self.hooks(guard))
        return True

    def hooks(self, guard: Safeguards) -> pulumi.ResourceHookBinding:
        """What is asked before it is made or changed."""
        return guard.rules


class DestinationRule(IstioObject):
    """One Istio DestinationRule: the subset of one version, or how all pods of a service are treated.

    It comes after the pods of its subset. There is one for each version: Pulumi deletes last, so a subset outlives the
    route that named it.
    """

    token = "weir:mesh:DestinationRule"

    def __init__(self, name: str, args: DestinationRuleArgs | Made, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises RunError with all that is wrong with the arguments."""
        super().__init__(name, args if isinstance(args, Made) else _rule(args), opts)


class ServiceEntry(IstioObject):
    """One Istio ServiceEntry: the external host of one version. It comes before the rule with the version's subset."""

    token = "weir:mesh:ServiceEntry"


class VirtualService(IstioObject):
    """The one Istio VirtualService of a service: how its traffic is divided. It comes after all subsets it may name,
    and goes before them.
    """

    token = "weir:mesh:VirtualService"

    def __init__(self, name: str, args: VirtualServiceArgs | Made, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises RunError with all that is wrong with the arguments."""
        super().__init__(name, args if isinstance(args, Made) else _route(args), opts)

    def hooks(self, guard: Safeguards) -> pulumi.ResourceHookBinding:
        """It waits until every proxy knows the versions it newly sends requests to."""
        return guard.routes


class Gateway(IstioObject):
    """One Istio Gateway: ports and hosts of a proxy at the edge of the mesh. It comes before the routes that are bound
    to it, and goes after them.
    """

    token = "weir:mesh:Gateway"

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises RunError with all that is wrong with the arguments."""
        config = Checked("Gateway", "gateways", name, args).config
        manifest = gateway(name, config.gateways[name], config.namespace)
        there = standing(args.cluster, args.namespace)
        there.declare(manifest)
        super().__init__(name, Made(manifest=manifest, spec=manifest["spec"], place=there.place()), opts)
        there.gateways.append(self)

    async def _stands(self, guard: Safeguards, name: str, known: Mapping[str, Any]) -> bool:
        """The proxies of the gateway, if it has any, have taken it."""
        await super()._stands(guard, name, known)
        await guard.acknowledgement.acknowledged(str(known["namespace"]), name, "")
        return True


def _rule(args: DestinationRuleArgs) -> Made:
    version = args.version or "all"
    own = VersionArgs(traffic_policy=args.traffic_policy, labels=args.labels) if args.version else VersionArgs()
    whole = MeshServiceArgs(
        namespace=args.namespace,
        versions={version: own},
        stable=version,
        traffic_policy=None if args.version else args.traffic_policy,
        export_to=args.export_to,
        cluster=args.cluster,
    )

    def chosen(objects: ServiceObjects) -> Manifest:
        if args.version:
            rule = objects.versions[version].destination_rule
            assert rule is not None, "a version of pods"
            return rule
        if objects.host_rule is None:
            raise pulumi.RunError(
                f'DestinationRule "{args.service}": has no settings; give it traffic_policy, or a version'
            )
        # The one version here stands for all: it is no subset that there is.
        spec = {key: value for key, value in objects.host_rule["spec"].items() if key != "subsets"}
        return {**objects.host_rule, "spec": spec}

    return _made("DestinationRule", args.service, whole, chosen)


def _route(args: VirtualServiceArgs) -> Made:
    given = {each.name: getattr(args, each.name) for each in fields(args) if each.name not in ("service", "versions")}
    whole = MeshServiceArgs(versions={version: VersionArgs() for version in args.versions}, **given)

    def chosen(objects: ServiceObjects) -> Manifest:
        if objects.entrance:
            raise pulumi.RunError(
                f'VirtualService "{args.service}": expose.hosts: "*" needs a VirtualService of its own, which '
                "MeshService makes; use that, or name the hosts"
            )
        return objects.virtual_service

    return _made("VirtualService", args.service, whole, chosen)


def _made(component: str, service: str, whole: MeshServiceArgs, chosen: Callable[[ServiceObjects], Manifest]) -> Made:
    """One object of a service, of which nothing else is made here."""
    config = Checked(component, "services", service, whole).config
    there = standing(whole.cluster, whole.namespace)
    manifest = chosen(service_objects(service, config, config.namespace))
    there.declare(manifest)
    place = there.place()
    spec = pulumi.Output.from_input(place.namespace).apply(
        lambda real: chosen(service_objects(service, config, real))["spec"]
    )
    return Made(manifest=manifest, spec=spec, place=place)
