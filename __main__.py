"""The Pulumi program of weir: the config of a stack, the components it describes, the outputs."""

import json
from datetime import UTC, datetime

import pulumi

from components.args import ClientArgs, GatewayArgs, MeshServiceArgs
from components.client import Client
from components.cluster import cluster_of, provider
from components.entrances import warn_of_entrances
from components.handed import handed_over
from components.host_routes import HostRoutes, HostRoutesArgs
from components.istio import Gateway
from components.mesh_service import MeshService
from components.rollouts import with_rollouts
from components.safeguards import safeguards
from components.stack_namespace import StackNamespace, StackNamespaceArgs, left_alone
from components.warned import warn
from weir.model import StackConfig, ended, outputs, warnings, without_ended
from weir.model.manifests.hosts import object_name
from weir.model.manifests.kubernetes import namespace as namespace_manifest
from weir.program_environment import ROUTES_ALONE, WARNED, variable


def stack_config() -> StackConfig:
    """The checked config, without the faults whose end has passed."""
    written, now = handed_over(), datetime.now(UTC)
    for problem in ended(written, now):
        warn(f"{problem} (the fault is ignored)")
    sound = without_ended(written, now)
    # A release of another service reaches no split but its own.
    return sound if variable(ROUTES_ALONE) else with_rollouts(sound)


config = stack_config()
cluster = cluster_of(config)
opts = pulumi.ResourceOptions(provider=provider(cluster))
guard = safeguards(cluster)

own = namespace_manifest(config.namespace, config.revision) if config.create_namespace else left_alone(config)
made = (
    StackNamespace(
        "namespace",
        StackNamespaceArgs(manifest=own, ephemeral=config.ephemeral, keep=not config.create_namespace, cluster=cluster),
        opts,
    )
    if own
    else None
)
namespace = made.name if made and config.create_namespace else pulumi.Output.from_input(config.namespace)

# A release has said them once, and has this run twice, for its preview and for the update.
if not variable(WARNED):
    warn_of_entrances(config, guard.cluster)
    for warning in warnings(config):
        warn(str(warning))

# A release reaches the routes of some services alone: nothing else is registered, and all of it stays as it is.
alone = json.loads(variable(ROUTES_ALONE) or "null")
if alone is not None and not pulumi.runtime.is_dry_run():
    guard.propagation.begin()

for name in config.gateways if alone is None else ():
    Gateway(name, GatewayArgs(namespace=namespace, selector={}, servers=[], cluster=cluster, stack=config), opts)
for name in config.services if alone is None else (each for each in alone if each in config.services):
    MeshService(name, MeshServiceArgs(namespace=namespace, stable="", versions={}, cluster=cluster, stack=config), opts)
for host in config.hosts:
    if alone is None or object_name(host) in alone:
        HostRoutes(object_name(host), HostRoutesArgs(host, namespace, cluster, config), opts)
for name in config.clients if alone is None else ():
    Client(name, ClientArgs(namespace=namespace, image="", cluster=cluster, stack=config), opts)

stack_outputs = namespace.apply(lambda name: outputs(config, name))
pulumi.export("namespace", stack_outputs["namespace"])
pulumi.export("services", stack_outputs["services"])
