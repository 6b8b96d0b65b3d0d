"""The Pulumi program of weir: the config of a stack, the components it describes, the outputs."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pulumi

from components.client import Client
from components.cluster import cluster
from components.entrances import warn_of_unserved
from components.gateway import Gateway
from components.handed import handed_over
from components.mesh_service import MeshService
from components.safeguards import Safeguards
from components.stack_namespace import StackNamespace, left_alone
from components.standing import Standing
from components.warned import warn
from weir.model import ServiceObjects, StackConfig, ended, mesh, outputs, warnings, without_ended
from weir.program_environment import ROUTES_ALONE, WARNED, variable


def stack_config() -> StackConfig:
    """The checked config, without the faults whose end has passed."""
    written, now = handed_over(), datetime.now(UTC)
    for problem in ended(written, now):
        warn(f"{problem}; it is left out")
    return without_ended(written, now)


config = stack_config()
provider = cluster(config.kube_context, config.kubeconfig)
opts = pulumi.ResourceOptions(provider=provider)
guard = Safeguards(config)

# The resources there are, and all about them but the name of an ephemeral namespace, are known here. What contains that name
# is computed again by the same function once it is known; an update of any other stack knows it in its first preview.
plan = mesh(config, config.namespace)
own = plan.namespace or left_alone(config)
made = StackNamespace("namespace", own, config, guard, opts) if own else None
standing = Standing(config, plan, made.name if made and plan.namespace else pulumi.Output.from_input(config.namespace), guard)
namespace = standing.checked()
placed = namespace.apply(lambda name: mesh(config, name))


def placed_service(name: str) -> pulumi.Output[ServiceObjects]:
    """The objects of one service with the real namespace in their hosts."""
    return placed.apply(lambda real: real.services[name])


# A release has said them once, and has this run twice, for its preview and for the update.
if not variable(WARNED):
    warn_of_unserved(config, guard)
    for warning in warnings(config):
        warn(str(warning))

# A release reaches the routes of some services alone: nothing else is registered, and all of it stays as it is.
alone = json.loads(variable(ROUTES_ALONE) or "null")
if alone is not None and not pulumi.runtime.is_dry_run():
    guard.acknowledgement.begin()
if alone is not None:
    for name in alone:
        MeshService(
            name, plan.services[name], placed_service(name), namespace, config.ready_timeout, guard, standing, (), opts, route_alone=True
        )
    plan = replace(plan, gateways={}, services={}, clients={})

gateways = [Gateway(name, manifest, manifest["spec"], namespace, guard, opts=opts) for name, manifest in plan.gateways.items()]
for name, service in plan.services.items():
    MeshService(name, service, placed_service(name), namespace, config.ready_timeout, guard, standing, gateways, opts)
for name, client in plan.clients.items():
    Client(name, client, namespace, config.ready_timeout, guard, opts)

stack_outputs = namespace.apply(lambda name: outputs(config, name))
pulumi.export("namespace", stack_outputs["namespace"])
pulumi.export("services", stack_outputs["services"])
