"""What happens to the requests of a route: faults, retries, mirrors, headers, CORS, rewrites, and answers given
without any version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from weir.model.config.base import Part, as_written, at_most_one, exactly_one, given, key, required
from weir.model.config.matches import StringMatch
from weir.model.values.durations import Length, WholeSeconds
from weir.model.values.http import (
    CorsHeader,
    CorsMethod,
    GrpcStatus,
    HeaderValue,
    OtherHeader,
    Regex,
    RetryConditions,
    WrittenHeader,
)
from weir.model.values.instants import Moment
from weir.model.values.names import Label
from weir.model.values.numbers import Count, Share, Status
from weir.model.values.text import Flag, SomeText


class Delay(Part):
    """A share of requests that waits in the caller's proxy before it is sent."""

    message = "HTTPFaultInjection.Delay"
    hints: ClassVar[Mapping[str, str]] = {
        "exponentialDelay": "Istio does not support it yet; use fixedDelay",
        "percent": "deprecated by Istio; use percentage",
    }

    percentage: Share = required("the share of requests to delay, 0 to 100", example=50, unit="percent")
    fixed_delay: Length = required("how long to delay them, such as 3s", example="3s", unit="duration")


class Abort(Part):
    """A share of requests that the caller's proxy answers itself; they reach no version."""

    message = "HTTPFaultInjection.Abort"
    hints: ClassVar[Mapping[str, str]] = {"http2Error": "Istio does not support it yet; use httpStatus or grpcStatus"}

    percentage: Share = required("the share of requests to abort, 0 to 100", example=10, unit="percent")
    http_status: Status | None = key("the HTTP status to answer them with, 200 to 599", example=503)
    grpc_status: GrpcStatus | None = key("the status of gRPC to answer them with", example="UNAVAILABLE")

    @model_validator(mode="after")
    def _has_a_status(self) -> Abort:
        exactly_one(self, "http_status", "grpc_status")
        return self


class Fault(Part):
    """Faults to inject. Envoy draws for delay and abort independently: one request can meet both."""

    message = "HTTPFaultInjection"

    delay: Delay | None = key("requests to delay", example={"percentage": 50, "fixedDelay": "3s"})
    abort: Abort | None = key("requests to abort", example={"percentage": 10, "httpStatus": 503})
    until: Moment | None = key(
        "when it ends: from then on `weir check` refuses it and an update leaves it out; never when left out",
        example="2026-11-25T14:00:00Z",
        unit="moment",
        becomes="VirtualService.metadata.annotations",
    )

    @model_validator(mode="after")
    def _has_one(self) -> Fault:
        if self.delay is None and self.abort is None:
            raise ValueError("must have a delay or an abort; remove the key to inject no fault")
        return self

    def spec(self) -> dict[str, Any]:
        """The fault as Istio's message, which knows no end."""
        return {name: value for name, value in as_written(self).items() if name != "until"}

    @property
    def active(self) -> bool:
        """Whether it meets any request."""
        return any(part is not None and part.percentage > 0 for part in (self.delay, self.abort))


class Retries(Part):
    """Retries by the caller's proxy. Without this key Istio retries twice; `attempts: 0` switches retries off."""

    message = "HTTPRetry"

    attempts: Count = required("how often to retry a request; 0 switches retries off", example=3)
    per_try_timeout: Length | None = key(
        "how long each try may take, the first included; the route's timeout when left out",
        example="2s",
        unit="duration",
    )
    retry_on: RetryConditions = key(
        "what to retry on: Envoy's conditions, gRPC's, or HTTP statuses; Istio's own choice when left out",
        (),
        example=["gateway-error", "connect-failure", "refused-stream"],
    )
    retry_remote_localities: Flag | None = key(
        "whether retries may go to other localities; Istio's default when left out", example=True
    )
    retry_ignore_previous_hosts: Flag | None = key(
        "whether a retry avoids pods that failed before; true in Istio", example=False
    )
    backoff: Length | None = key("the least time between retries; 25 ms in Envoy", example="100ms", unit="duration")

    @model_validator(mode="after")
    def _off_means_off(self) -> Retries:
        if self.attempts == 0 and self.model_fields_set - {"attempts"}:
            others = given(self, *(name for name in type(self).model_fields if name != "attempts"))
            raise ValueError(
                f"attempts is 0, which switches retries off; remove {' and '.join(others)}, or raise attempts"
            )
        return self


class Mirror(Part):
    """A version that gets a copy of requests; its answers are thrown away. A copy of a write is a write."""

    message = "HTTPMirrorPolicy"

    version: Label = required(
        "the version that gets the copies", example="v2", becomes="HTTPMirrorPolicy.destination.subset"
    )
    percentage: Share | None = key("the share of requests to copy; 100 when left out", example=25, unit="percent")


MAX_HEADER_CHANGES = 500
"""Envoy takes 1000 at a route, and there stand the route's own and, where one version gets all, the version's."""


_HOST = ("host", ":authority")


class _HeaderChanges(Part):
    @model_validator(mode="after")
    def _not_too_many(self) -> _HeaderChanges:
        # A host is no header to Envoy: it rewrites it.
        count = sum(name.lower() not in _HOST for part in ("set", "add") for name in getattr(self, part, ()))
        if count > MAX_HEADER_CHANGES:
            raise ValueError(f"must set and add at most {MAX_HEADER_CHANGES} headers, was {count}")
        return self


class RequestHeaders(_HeaderChanges):
    """Changes to a request's headers."""

    message = "Headers.HeaderOperations"

    set: Mapping[WrittenHeader, HeaderValue] = key("headers to overwrite", {}, example={"x-canary": "yes"})
    add: Mapping[WrittenHeader, HeaderValue] = key("values to append", {}, example={"x-seen-by": "weir"})
    remove: tuple[OtherHeader, ...] = key("headers to remove", (), example=["x-debug"])


class ResponseHeaders(_HeaderChanges):
    """Changes to a response's headers."""

    message = "Headers.HeaderOperations"

    set: Mapping[OtherHeader, HeaderValue] = key("headers to overwrite", {}, example={"x-version": "v2"})
    add: Mapping[OtherHeader, HeaderValue] = key("values to append", {}, example={"x-seen-by": "weir"})
    remove: tuple[OtherHeader, ...] = key("headers to remove", (), example=["server"])


class Headers(Part):
    """Changes to headers on the way to the service and back."""

    message = "Headers"

    request: RequestHeaders | None = key("on the request", example={"set": {"x-canary": "yes"}})
    response: ResponseHeaders | None = key("on the response", example={"remove": ["server"]})

    @property
    def hosts(self) -> list[str]:
        """The headers by which the host of a request is set."""
        request = self.request
        return [] if request is None else [name for name in (*request.set, *request.add) if name.lower() in _HOST]

    def to(self, host: str) -> Headers:
        """These, and the host of the request set to this."""
        request = self.request or RequestHeaders()
        return self.model_copy(update={"request": request.model_copy(update={"set": {**request.set, "host": host}})})


class CorsPolicy(Part):
    """Cross-origin requests of browsers, answered by the proxy."""

    message = "CorsPolicy"
    hints: ClassVar[Mapping[str, str]] = {
        "allowOrigin": "deprecated by Istio; use allowOrigins: [{exact: https://shop.example.com}]"
    }

    allow_origins: tuple[StringMatch, ...] = required(
        "the origins that may ask, such as {exact: https://shop.example.com}",
        example=[{"exact": "https://shop.example.com"}],
    )
    allow_methods: tuple[CorsMethod, ...] = key("the methods they may use", (), example=["GET", "POST"])
    allow_headers: tuple[CorsHeader, ...] = key("the headers they may send", (), example=["x-user"])
    expose_headers: tuple[CorsHeader, ...] = key("the headers of the answer they may read", (), example=["x-version"])
    max_age: WholeSeconds | None = key(
        "how long a browser may keep the answer to a preflight", example="24h", unit="duration, whole seconds"
    )
    allow_credentials: Flag | None = key("whether they may send credentials", example=True)
    unmatched_preflights: Literal["FORWARD", "IGNORE"] | None = key(
        "what happens to preflights of other origins; FORWARD in Istio", example="IGNORE"
    )

    @model_validator(mode="after")
    def _has_origins(self) -> CorsPolicy:
        if not self.allow_origins:
            raise ValueError("must name allowOrigins; a policy without any lets no origin ask")
        return self


class RegexRewrite(Part):
    """A new path made of parts of the old one."""

    message = "RegexRewrite"

    match: Regex = required(
        "an expression in RE2's syntax; what it matches of the path is replaced", example="^/old/(.*)$"
    )
    rewrite: SomeText = required("what to put in its place; \\1 stands for the first group", example="/new/\\1")


class Rewrite(Part):
    """A request's path and host, changed before it is sent."""

    message = "HTTPRewrite"

    uri: SomeText | None = key(
        "the new path, or the new beginning of the path where the match is by prefix", example="/v2/"
    )
    authority: SomeText | None = key("the new host", example="backend.example.com")
    uri_regex_rewrite: RegexRewrite | None = key(
        "a new path by expression", example={"match": "^/old/", "rewrite": "/new/"}
    )

    @model_validator(mode="after")
    def _says_one_path(self) -> Rewrite:
        at_most_one(self, "uri", "uri_regex_rewrite")
        if not self.model_fields_set:
            raise ValueError("must have uri, uriRegexRewrite or authority")
        return self
