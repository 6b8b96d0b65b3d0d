"""The one explicit provider: which cluster all resources of a stack go to."""

from __future__ import annotations

from pulumi_kubernetes import Provider


def cluster(context: str | None, kubeconfig: str | None) -> Provider:
    """The provider for a context of a kubeconfig; kubectl's defaults stand in for what is None.

    `kubeconfig` is a path, resolved by the provider, which runs in the project's directory. It is handed on as it is: the state then
    holds neither the credentials in the file nor a directory of this machine.
    """
    return Provider("cluster", context=context, kubeconfig=kubeconfig)
