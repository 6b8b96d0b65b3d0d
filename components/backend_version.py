"""BackendVersion: the pods of one version of a service."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.args import BackendVersionArgs, MeshServiceArgs, VersionArgs
from components.checked import Checked
from components.placement import Place, placed
from components.standing import standing
from weir.model import Manifest, VersionObjects
from weir.model.manifests.kubernetes import with_secret
from weir.model.manifests.mesh import service_objects


@dataclass(frozen=True, kw_only=True)
class MadeVersion:
    """The objects of a version that a component is to create, instead of making them from arguments."""

    objects: VersionObjects
    checked: Checked
    place: Place


class BackendVersion(pulumi.ComponentResource):
    """The Deployment of one version. It counts as created once its pods are ready, so what depends on it finds them
    serving.
    """

    deployment: Deployment

    def __init__(
        self, name: str, args: BackendVersionArgs | MadeVersion, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Raises RunError with all that is wrong with the arguments."""
        super().__init__("weir:mesh:BackendVersion", name, None, opts)
        made = args if isinstance(args, MadeVersion) else _made(name, args)
        objects, place = made.objects, made.place
        manifest = objects.deployment
        assert manifest is not None, "a version without an image has no pods"
        spec = made.checked.filled(manifest["spec"])
        if objects.secret:
            spec = with_secret(spec, objects.secret, self._secret(name, objects.secret, made))
        counted = "replicas" in spec
        if objects.autoscaler:
            # Its first pods; the number is the autoscaler's from then on.
            spec = {**spec, "replicas": objects.autoscaler["spec"]["minReplicas"]}
        self.deployment = Deployment(
            name,
            metadata=placed(manifest, place, place.guard.ownership.of_replicas(manifest, place.namespace)),
            spec=spec,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=place.after,
                hooks=place.guard.pods,
                # Left out of what is applied, a number that weir owned before would become Kubernetes' default, 1. The
                # provider leaves what is ignored as it stands, whoever owns it.
                ignore_changes=None if counted else ["spec.replicas"],
                custom_timeouts=pulumi.CustomTimeouts(
                    create=place.guard.ready_timeout, update=place.guard.ready_timeout
                ),
            ),
        )
        if objects.disruption_budget:
            PodDisruptionBudget(
                name,
                metadata=placed(objects.disruption_budget, place),
                spec=objects.disruption_budget["spec"],
                opts=pulumi.ResourceOptions(parent=self, hooks=place.guard.bare),
            )
        if objects.autoscaler:
            # Under its own type, without the import of a module that few stacks need.
            CustomResource(
                name,
                api_version=objects.autoscaler["apiVersion"],
                kind=objects.autoscaler["kind"],
                metadata=placed(objects.autoscaler, place),
                spec=objects.autoscaler["spec"],
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.deployment], hooks=place.guard.bare),
            )
        self.register_outputs({"deployment": manifest["metadata"]["name"]})

    def _secret(self, name: str, manifest: Manifest, made: MadeVersion) -> pulumi.Output[str]:
        """The Secret of what of the pods' environment nobody is shown, under a name that Pulumi generates, which is
        what is returned.

        Other values are another Secret with another name. So the pods' template changes, and new pods start with the
        new values; the Secret before it goes last, once no pod needs it. A name says nothing of the values, where a
        digest of them could be guessed. Nobody can have made an object of such a name, so the cluster is not asked
        whether somebody has.
        """
        metadata = {key: value for key, value in placed(manifest, made.place, new=True).items() if key != "name"}
        secret = Secret(
            name,
            metadata=metadata,
            type=manifest["type"],
            immutable=manifest["immutable"],
            string_data={
                key: pulumi.Output.secret(_text(made.checked.filled(value)))
                for key, value in manifest["stringData"].items()
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        known_as: pulumi.Output[str] = secret.metadata.apply(lambda given: str(given["name"]))
        return known_as


def _text(value: Any) -> Any:
    return value if isinstance(value, pulumi.Output) else value.text


def _made(name: str, args: BackendVersionArgs) -> MadeVersion:
    own = {
        each.name: getattr(args, each.name)
        for each in fields(args)
        if each.name in {field.name for field in fields(VersionArgs)}
    }
    whole = MeshServiceArgs(
        namespace=args.namespace,
        versions={args.version: VersionArgs(**own)},
        stable=args.version,
        target_port=args.target_port,
        protocol=args.protocol,
        ports=args.ports,
        selector=args.selector,
        cluster=args.cluster,
    )
    checked = Checked("BackendVersion", "services", args.service, whole)
    objects = service_objects(args.service, checked.config, checked.config.namespace).versions[args.version]
    if objects.deployment is None:
        raise pulumi.RunError(f'BackendVersion "{name}": image: missing; name the image its pods run')
    there = standing(args.cluster, args.namespace)
    there.declare(*objects.of_pods())
    return MadeVersion(objects=objects, checked=checked, place=there.place())
