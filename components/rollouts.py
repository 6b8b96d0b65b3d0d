"""While a rollout is under way it owns the split of its service: an update from a config that does not have its step
leaves the split as it is, and does all the rest.
"""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.warned import warn
from weir.cluster.errors import ClusterError, DeniedError, UnaskedError
from weir.cluster.kubectl import Kubectl
from weir.cluster.rollouts import RolloutSplit, splits_of_rollouts
from weir.model import Service, StackConfig
from weir.model.config.control import control_share, with_control
from weir.model.values.numbers import plain


def with_rollouts(config: StackConfig) -> StackConfig:
    """The config with the splits that rollouts have applied. Raises RunError where it does not have a version of one,
    and in an update where nobody can tell whether there is one: the config's split could be any.

    Of an ephemeral stack nobody knows the namespace yet. In a preview a cluster that cannot be asked has no say.
    """
    if config.ephemeral or not config.services:
        return config
    path = config.kubeconfig
    try:
        kubectl = Kubectl.find(
            config.namespace,
            kubeconfig=str(Path(path).expanduser().absolute()) if path else None,
            context=config.kube_context,
        )
        splits = splits_of_rollouts(kubectl, config.services)
    except ClusterError as error:
        if pulumi.runtime.is_dry_run():
            return config
        if not isinstance(error, UnaskedError):
            raise pulumi.RunError(
                f"nobody can tell whether a rollout is under way and owns its split, so nothing was changed: {error}"
                + ("; weir rbac prints the rights that an update needs" if isinstance(error, DeniedError) else "")
            ) from None
        warn(f"nobody can tell whether a rollout is under way, so the config's splits are applied: {error}")
        return config
    services = dict(config.services)
    for split in splits:
        services[split.service] = _with_split(services[split.service], split)
    return config.model_copy(update={"services": services}) if splits else config


def _with_split(service: Service, split: RolloutSplit) -> Service:
    name = split.service
    if lost := [version for version in (split.version, split.stable) if version not in service.versions]:
        raise pulumi.RunError(
            f"{name}: a rollout of {split.version} is under way, and the config no longer has {' and '.join(lost)}. "
            f"Nothing was changed. Keep the version until the rollout is over, or end it: weir abort {name}"
        )
    canary = {version: share for version, share in service.canary.items() if version != split.stable}
    canary[split.version] = split.share
    if split.control:
        service = with_control(service, split.stable, split.version, split.control)
        canary[split.control] = control_share(split.share, canary, split.version, split.control)
    if sum(canary.values()) > 100:
        others = ", ".join(
            f"{version} {plain(share)} %" for version, share in canary.items() if version != split.version
        )
        raise pulumi.RunError(
            f"{name}: a rollout of {split.version} is under way and owns the split: {split.version} is at "
            f"{plain(split.share)} %, and with the config's {others} that is more than 100 %. Nothing was changed. "
            f"Lower the others until the rollout is over, or end it: weir abort {name}"
        )
    if (split.stable, canary) == (service.stable, service.canary):
        return service
    warn(
        f"{name}: a rollout of {split.version} is under way and owns the split: it stays at {split.version} "
        f"{plain(split.share)} %, whatever the config says; all else is applied"
    )
    return service.model_copy(update={"stable": split.stable, "canary": canary})
