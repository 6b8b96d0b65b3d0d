"""What can keep the cluster from being asked."""

from __future__ import annotations

from weir.errors import WeirError


class ClusterError(WeirError):
    """The cluster, istiod or a proxy could not be asked: the message says why and what to do. Exit code 1."""


class UnaskedError(ClusterError):
    """istiod cannot be asked at all here: none was found, or there is no right to. Waiting longer would not help."""


class DeniedError(ClusterError):
    """Whoever asks has no right to the answer."""


class GoneError(ClusterError):
    """The proxy that istiod was asked about has gone: there is nothing to wait for any more."""
