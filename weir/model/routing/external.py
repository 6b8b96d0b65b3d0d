"""What an external host needs beyond what is written: its own name as the host of requests, and TLS that knows it."""

from __future__ import annotations

from typing import Any

from weir.model.config.actions import Headers
from weir.model.config.routes import Traffic
from weir.model.config.traffic_policy import ClientTls, TrafficPolicy
from weir.model.config.versions import Version

HTTPS = 443
_HTTP = 80
_VERIFYING = ("SIMPLE", "MUTUAL")


def external_headers(version: Version, route: Traffic) -> Headers | None:
    """The changes to headers of requests to a version on a route: those written, and for an external host its name as
    the host, unless version or route say one. Where both do, istiod and Envoy take one or the other, by the number of
    destinations.
    """
    there, written = version.elsewhere, version.headers
    if there is None or not there.external or route.sets_host or (written is not None and written.hosts):
        return written
    return (written or Headers()).to(there.host if there.port in (_HTTP, HTTPS) else str(there))


def external_policy(version: Version) -> TrafficPolicy | None:
    """How callers treat a version: as written; for an external host with TLS at port 443, for this name and no other.

    Without a name of its own istiod takes the request's host for it, which a caller, or a rewrite, may have chosen.
    """
    there, policy = version.elsewhere, version.traffic_policy
    if there is None or not there.external:
        return policy
    tls = policy.tls if policy else None
    if tls is None:
        if there.port != HTTPS:
            return policy
        tls = ClientTls(mode="SIMPLE")
    if tls.mode in _VERIFYING:
        missing: dict[str, Any] = {} if tls.sni else {"sni": there.host}
        if not tls.subject_alt_names and not tls.insecure_skip_verify:
            missing["subject_alt_names"] = (there.host,)
        tls = tls.model_copy(update=missing)
    return (policy or TrafficPolicy.model_construct(_fields_set=set())).model_copy(update={"tls": tls})
