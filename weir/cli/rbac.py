"""`weir rbac`: the account and the roles that a stack needs in a cluster, and no more."""

from __future__ import annotations

from pathlib import Path

import click

from weir.cli.context import Context
from weir.cli.options import stack_options
from weir.errors import UsageError
from weir.model.manifests.rbac import can_do, rbac
from weir.model.manifests.rollout_job import rollout_job
from weir.yaml_writer import dump


@click.command("rbac")
@stack_options
@click.option(
    "--organization",
    metavar="NAME",
    default="organization",
    show_default=True,
    help="The stack's organization in Pulumi.",
)
@click.option("--with-verify", is_flag=True, help="Also what weir verify needs: running curl in a client's pod.")
@click.option(
    "--with-rollout",
    is_flag=True,
    help="Also what weir rollout needs: its state in ConfigMaps, and asking callers' proxies.",
)
@click.option(
    "--image",
    metavar="IMAGE",
    default="",
    help="With --with-rollout: also a CronJob that goes on with rollouts; IMAGE has weir and the project.",
)
def command(
    stack: str, file: Path | None, organization: str, with_verify: bool, with_rollout: bool, image: str
) -> None:
    """Print a ServiceAccount for the stack, its roles, and a policy for the pods it makes, as YAML for kubectl apply.
    An administrator applies it.

    `kubectl create token weir-NAMESPACE -n istio-system` then gives the credentials to run pulumi with.
    """
    config = Context(stack, file).config
    if config.ephemeral:
        raise UsageError(
            f"the namespace of {stack} is ephemeral: nobody knows its name yet; give the account rights in a fixed "
            "one instead"
        )
    if image and not with_rollout:
        raise UsageError("--image is of the CronJob for rollouts; add --with-rollout")
    if image and config.kubeconfig:
        raise UsageError(
            f"weir:kubeconfig of {stack} is a file of this machine ({config.kubeconfig}), and a pod has none there: "
            "leave the key out, and name the file in KUBECONFIG where you run pulumi"
        )
    click.echo("".join(f"# {line}\n" for line in can_do(config)), nl=False)
    owner = f"{organization}/weir/{stack.rsplit('/', 1)[-1]}"
    objects = rbac(config, owner, with_verify, with_rollout)
    click.echo(dump([*objects, *(rollout_job(config, stack, image) if image else ())]), nl=False)
