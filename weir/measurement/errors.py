"""What can keep traffic from being measured, apart from what the traffic itself says."""

from __future__ import annotations

from weir.cluster.errors import ClusterError


class MeasurementError(ClusterError):
    """Traffic could not be measured: the message says why and what to do. Exit code 1."""


class DisturbedError(MeasurementError):
    """Something changed while requests were being counted, so that the counts mean nothing;
    measuring again may work.
    """
