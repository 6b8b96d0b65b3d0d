"""What a preview says of a stack's gateways and hosts, asked of the cluster beside everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pulumi

from components.cluster import Cluster
from components.placement import owner
from components.warned import warn
from weir.cluster.entrances import claimed_by_others, unserved
from weir.cluster.errors import ClusterError
from weir.model import StackConfig
from weir.model.routing.hosts import claims


def warn_of_entrances(config: StackConfig, cluster: Cluster) -> None:
    """In a preview, a warning for each gateway of the stack that no pod serves, and for each of its hosts that another
    stack has; nothing where the cluster, or all of it, cannot be asked.
    """
    if not pulumi.runtime.is_dry_run():
        return
    kubectl, stack = cluster.kubectl, owner()
    if config.gateways:
        # Outputs, so that the program does not end before the answers are there.
        pulumi.Output.all(_warn(cluster, lambda: unserved(kubectl(config.namespace), config.gateways)))
    if own := list(claims(config, config.namespace)):
        pulumi.Output.all(
            _warn(cluster, lambda: claimed_by_others(kubectl(config.namespace), own, lambda other: other == stack))
        )


async def _warn(cluster: Cluster, question: Callable[[], Iterable[str]]) -> int:
    """Warn, and give the number of warnings."""
    try:
        found = await cluster.aside(lambda: list(question()))
    except ClusterError as error:
        pulumi.log.debug(f"cannot check the gateways and hosts of the stack: {error}")
        return 0
    for line in found:
        warn(line)
    return len(found)
