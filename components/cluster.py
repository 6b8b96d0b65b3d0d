"""The cluster of a program: which it is, how it is asked, and what it has answered in this run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import pulumi
from pulumi_kubernetes import Provider

from components.args import ClusterArgs
from components.warned import warn
from weir.cluster.errors import ClusterError, UnaskedError
from weir.cluster.kubectl import Kubectl
from weir.cluster.live import Live, live
from weir.cluster.workloads import WorkloadState, without_pods, workload_state
from weir.model import ServiceObjects, StackConfig
from weir.model.manifests.order import Objects

Answer = TypeVar("Answer")
_QUESTIONS_AT_A_TIME = 8


def cluster_of(config: StackConfig) -> ClusterArgs:
    """The cluster of a stack."""
    return ClusterArgs(
        kubeconfig=config.kubeconfig,
        kube_context=config.kube_context,
        cluster_domain=config.cluster_domain,
        istiod_namespace=config.propagation.istiod_namespace,
        propagation_timeout=config.propagation.timeout.text,
        propagation_grace=config.propagation.grace.text,
        ready_timeout=config.ready_timeout.text,
        adopt=config.adopt,
        force=config.force,
    )


def provider(args: ClusterArgs) -> Provider:
    """The one explicit provider of a stack, for its context of a kubeconfig; kubectl's defaults stand in for what is
    None.

    `kubeconfig` is a path, resolved by the provider, which runs in the project's directory. It is handed on as it is:
    the state then holds neither the credentials in the file nor a directory of this machine.
    """
    return Provider("cluster", context=args.kube_context, kubeconfig=args.kubeconfig)


class Cluster:
    """What the cluster answers in one run of a program. Each namespace is read once."""

    def __init__(self, args: ClusterArgs) -> None:
        """Nothing is asked yet."""
        self._args = args
        self._live: dict[str, Live] = {}
        self._finding = Lock()
        self._unasked: set[str] = set()
        # Not the event loop's own threads: those may all be waiting for the engine, which waits for these answers.
        self._asking = ThreadPoolExecutor(_QUESTIONS_AT_A_TIME, thread_name_prefix="weir-asks")

    async def objects(self, namespace: str | None) -> Objects | None:
        """What stands in the namespace; None where the cluster cannot be asked. A namespace that has no name yet has
        nothing in it.
        """
        if namespace is None:
            return {}
        return await self.ask(lambda: self.state(namespace).objects, None)

    async def standing(self, namespace: str, kind: str, name: str) -> dict[str, Any] | None:
        """The object as it stood in the cluster when this run began to ask; None where it did
        not, or nobody can tell.
        """
        return await self.ask(lambda: self.state(namespace).find(kind, name), None)

    async def failure_reason(self, namespace: str, service: str, version: str) -> str:
        """Why pods of a version are not ready, as they give it; empty where they give none, or nobody can tell."""
        return await self.ask(lambda: self.state(namespace).failure_reason(service, version), "")

    async def workload(self, namespace: str, reference: str) -> WorkloadState | None:
        """What of somebody else's runs pods, as it is now; None where there is none, or nobody can tell."""
        return await self.ask(lambda: workload_state(self.kubectl(namespace), reference), None)

    async def without_pods(self, namespace: str, services: Mapping[str, ServiceObjects]) -> list[str]:
        """What to say of versions that get requests and have no pods; empty where nobody can tell."""
        return await self.ask(lambda: list(without_pods(self.state(namespace), services)), [])

    async def ask(self, question: Callable[[], Answer], otherwise: Answer) -> Answer:
        """The answer of the cluster, or `otherwise`, with a warning, where it cannot be asked: whoever previews may
        have no cluster.
        """
        try:
            return await self.aside(question)
        except ClusterError as error:
            if not pulumi.runtime.is_dry_run() and not isinstance(error, UnaskedError):
                raise pulumi.RunError(str(error)) from None
            if str(error) not in self._unasked:
                self._unasked.add(str(error))
                warn(f"the cluster cannot be read, so nothing is checked against it: {error}")
            return otherwise

    async def aside(self, work: Callable[[], Answer]) -> Answer:
        """Do in a thread what would hold up all other resources."""
        return await asyncio.get_running_loop().run_in_executor(self._asking, work)

    def state(self, namespace: str) -> Live:
        """The objects of a namespace, read once."""
        # Several threads may be the first to ask, and each would have the cluster answer for itself.
        with self._finding:
            if namespace not in self._live:
                self._live[namespace] = live(self.kubectl(namespace))
            return self._live[namespace]

    def kubectl(self, namespace: str) -> Kubectl:
        """kubectl on this cluster, in this namespace."""
        # The provider, too, reads the path from the project's directory, which is where the program runs.
        path = self._args.kubeconfig
        return Kubectl.find(
            namespace,
            kubeconfig=str(Path(path).expanduser().absolute()) if path else None,
            context=self._args.kube_context,
        )
