"""How long proxies may take to follow."""

from __future__ import annotations

from weir.model.durations import Duration, Length
from weir.model.names import Label
from weir.model.part import Part, key


class Propagation(Part):
    """How weir makes sure that callers' proxies have followed before it goes on: it asks istiod; where it cannot, it waits."""

    timeout: Length = key(
        "how long proxies may take before an update fails; traffic stays as it was", Duration.parse("30s"), example="1m", unit="duration"
    )
    grace: Length = key("how long to wait where istiod cannot be asked", Duration.parse("5s"), example="10s", unit="duration")
    istiod_namespace: Label = key("the namespace istiod runs in", "istio-system", example="istio-system")
