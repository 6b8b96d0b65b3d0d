"""What a preview says of a stack's gateways, asked of the cluster beside everything else."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi

from weir.cluster.entrances import unserved
from weir.cluster.errors import ClusterError
from weir.cluster.kubectl import Kubectl
from weir.model import StackConfig


def warn_of_unserved(config: StackConfig) -> None:
    """In a preview, a warning for each gateway of the stack that no pod serves; nothing where the cluster, or all of it, cannot be asked."""
    if config.gateways and pulumi.runtime.is_dry_run():
        # An output, so that the program does not end before the answer is there.
        pulumi.Output.all(_warn(config))


async def _warn(config: StackConfig) -> int:
    """Warn, and give the number of warnings."""

    def asked() -> list[str]:
        path = str(Path(config.kubeconfig).expanduser().absolute()) if config.kubeconfig else None
        return list(unserved(Kubectl.find(config.namespace, kubeconfig=path, context=config.kube_context), config.gateways))

    try:
        # Not the event loop's own threads: those may all be waiting for the engine.
        with ThreadPoolExecutor(1) as aside:
            found = await asyncio.get_running_loop().run_in_executor(aside, asked)
    except ClusterError as error:
        pulumi.log.debug(f"whether pods serve the gateways cannot be asked: {error}")
        return 0
    for line in found:
        pulumi.log.warn(line)
    return len(found)
