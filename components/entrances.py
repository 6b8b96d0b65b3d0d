"""What a preview says of a stack's gateways, asked of the cluster beside everything else."""

from __future__ import annotations

import pulumi

from components.cluster import Cluster
from components.warned import warn
from weir.cluster.entrances import unserved
from weir.cluster.errors import ClusterError
from weir.model import StackConfig


def warn_of_unserved(config: StackConfig, cluster: Cluster) -> None:
    """In a preview, a warning for each gateway of the stack that no pod serves; nothing where the cluster, or all of
    it, cannot be asked.
    """
    if config.gateways and pulumi.runtime.is_dry_run():
        # An output, so that the program does not end before the answer is there.
        pulumi.Output.all(_warn(config, cluster))


async def _warn(config: StackConfig, cluster: Cluster) -> int:
    """Warn, and give the number of warnings."""
    try:
        found = await cluster.aside(lambda: list(unserved(cluster.kubectl(config.namespace), config.gateways)))
    except ClusterError as error:
        pulumi.log.debug(f"cannot check whether pods serve the gateways: {error}")
        return 0
    for line in found:
        warn(line)
    return len(found)
