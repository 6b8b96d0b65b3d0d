"""What can be said of a route, and the routes before the default one, as typed, frozen parts of the config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import model_validator

from weir.model.config.actions import CorsPolicy, Fault, Headers, Mirror, Retries, Rewrite
from weir.model.config.answers import DirectResponse, Redirect
from weir.model.config.base import ConflictError, Part, key, required
from weir.model.config.matches import Match
from weir.model.values.durations import LengthOrNone
from weir.model.values.names import Label
from weir.model.values.numbers import Percent
from weir.model.values.text import SomeText

_HTTP_ONLY = (
    "TCP and TLS routes are out: weir steers HTTP; keep them in a VirtualService of their own, for another host"
)

_ONE_MIRROR = "mirrors are a list here, also a single one; use mirrors: [{version: v2, percentage: 100}]"
_WEIGHTS = "weir computes weights; use canary: {v2: 20}, and stable gets what is left"


class Traffic(Part):
    """What can be said of a route: where its requests go, and what happens to them on the way."""

    hints: ClassVar[Mapping[str, str]] = {
        "tcp": _HTTP_ONLY,
        "tls": _HTTP_ONLY,
        "http": "weir writes the list; put the settings of the default route here, and others under routes",
        "mirror": _ONE_MIRROR,
        "mirrorPercentage": _ONE_MIRROR,
        "mirrorPercent": _ONE_MIRROR,
        "delegate": "weir writes one VirtualService a service; write the routes here",
        "route": "weir computes destinations and weights; use stable and canary",
        "weight": _WEIGHTS,
        "weights": _WEIGHTS,
    }

    stable: SomeText = key(
        "the version that gets what the canaries leave", "", example="v1", becomes="HTTPRoute.route.destination.subset"
    )
    canary: Mapping[str, Percent] = key(
        "version: share of the requests; any number of versions, 0.5 is a valid share",
        {},
        example={"v2": 20},
        unit="percent",
        becomes="HTTPRoute.route.weight",
    )
    fault: Fault | None = key(
        "faults to inject; they switch this route's retries and timeout off",
        example={"delay": {"percentage": 50, "fixedDelay": "3s"}},
        becomes="HTTPRoute.fault",
    )
    timeout: LengthOrNone | None = key(
        (
            "how long a request may take, retries included; none: no limit, also where the service has one; no limit "
            "when left out"
        ),
        example="10s",
        unit="duration",
        becomes="HTTPRoute.timeout",
    )
    retries: Retries | None = key(
        "retries by the caller's proxy; 2 in Istio when left out",
        example={"attempts": 3, "perTryTimeout": "2s"},
        becomes="HTTPRoute.retries",
    )
    mirrors: tuple[Mirror, ...] = key(
        "versions that get a copy of requests",
        (),
        example=[{"version": "v2", "percentage": 100}],
        becomes="HTTPRoute.mirrors",
    )
    headers: Headers | None = key(
        "changes to headers", example={"request": {"set": {"x-canary": "yes"}}}, becomes="HTTPRoute.headers"
    )
    cors_policy: CorsPolicy | None = key(
        "cross-origin requests of browsers",
        example={"allowOrigins": [{"exact": "https://shop.example.com"}]},
        becomes="HTTPRoute.corsPolicy",
    )
    rewrite: Rewrite | None = key("a new path or host", example={"uri": "/v2/"}, becomes="HTTPRoute.rewrite")
    redirect: Redirect | None = key(
        "an answer that sends the caller elsewhere", example={"scheme": "https"}, becomes="HTTPRoute.redirect"
    )
    direct_response: DirectResponse | None = key(
        "an answer by the proxy itself",
        example={"status": 503, "body": {"string": "closed"}},
        becomes="HTTPRoute.directResponse",
    )

    @property
    def answers_itself(self) -> bool:
        """Whether the proxy answers, and no version gets the request."""
        return self.redirect is not None or self.direct_response is not None

    @property
    def sets_host(self) -> bool:
        """Whether it says by itself which host requests have."""
        rewritten = self.rewrite is not None and self.rewrite.authority is not None
        return rewritten or (self.headers is not None and bool(self.headers.hosts))

    @model_validator(mode="after")
    def _does_one_thing(self) -> Traffic:
        if self.redirect is not None and self.direct_response is not None:
            raise ConflictError("must have only one of redirect and directResponse; remove the other")
        hosts = self.headers.hosts if self.headers else []
        if self.rewrite is not None and self.rewrite.authority is not None and hosts:
            raise ConflictError("sets the host twice, by rewrite.authority and by headers.request; remove one of them")
        if len(hosts) > 1:
            raise ConflictError(f"sets the host twice, by headers {' and '.join(hosts)}; remove one of them")
        return self


class Route(Traffic):
    """A route before the default one. It takes stable, timeout and retries from its service where it names none, and
    nothing else.
    """

    name: Label = required("a name for the route, once in its service", example="beta-users", becomes="HTTPRoute.name")
    match: tuple[Match, ...] = key(
        "which requests it takes: those that meet any of these; all when left out",
        (),
        example=[{"headers": {"x-user": {"exact": "beta"}}}],
        becomes="HTTPRoute.match",
    )

    @model_validator(mode="after")
    def _rewrites_what_it_matches(self) -> Route:
        if self.redirect is not None and self.redirect.prefix_rewrite is not None:
            for match in self.match:
                if match.uri is not None and match.uri.prefix is None:
                    raise ValueError("redirect.prefixRewrite needs every uri match of the route to be by prefix")
        return self
