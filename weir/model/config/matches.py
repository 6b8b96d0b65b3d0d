"""Which requests a route takes: Istio's HTTPMatchRequest and StringMatch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import ValidationInfo, model_validator

from weir.model.config.base import ConflictError, Part, at_most_one, exactly_one, key
from weir.model.values.hosts import LabelKey, LabelValue, MatchGateway
from weir.model.values.http import MatchHeader, Regex
from weir.model.values.names import Label
from weir.model.values.numbers import AS_ISTIO_WRITES, Port
from weir.model.values.schema import described
from weir.model.values.text import Flag, SomeText, bounded_text

MAX_PARAMETER_BYTES = 1024
"""Envoy's bound (`config.route.v3.QueryParameterMatcher`)."""

QueryParameter = Annotated[str, bounded_text(MAX_PARAMETER_BYTES), described("name of a parameter")]

_KINDS = ("exact", "prefix", "regex")


class PresenceMatch(Part):
    """A condition on a text that may be missing; `{}` asks that it is there, whatever it is."""

    message = "StringMatch"

    exact: SomeText | None = key("the whole text", example="beta")
    prefix: SomeText | None = key("how the text begins", example="/api/")
    regex: Regex | None = key(
        "an expression in RE2's syntax that matches the whole text, at most 1024 bytes", example="v[12]"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> PresenceMatch:
        at_most_one(self, *_KINDS)
        return self


class StringMatch(PresenceMatch):
    """A condition on a text: exactly one of exact, prefix and regex."""

    @model_validator(mode="after")
    def _has_a_kind(self) -> StringMatch:
        exactly_one(self, *_KINDS)
        return self


class Match(Part):
    """Conditions on a request, all of which must hold. A route with several of these takes what any of them takes."""

    message = "HTTPMatchRequest"

    name: SomeText | None = key(
        "a name for the condition, which becomes part of the names of Envoy's routes", example="beta-users"
    )
    uri: StringMatch | None = key("the path, without the query", example={"prefix": "/api/"})
    ignore_uri_case: Flag | None = key(
        "whether case counts in the path (exact and prefix only); false when left out", example=True
    )
    scheme: StringMatch | None = key("the scheme, http or https", example={"exact": "https"})
    method: StringMatch | None = key("the method", example={"exact": "GET"})
    authority: StringMatch | None = key("the host that was asked for", example={"exact": "shop.example.com"})
    headers: Mapping[MatchHeader, PresenceMatch] = key(
        "headers that the request has; `{}` takes any value", {}, example={"x-user": {"exact": "beta"}}
    )
    without_headers: Mapping[MatchHeader, PresenceMatch] = key(
        "headers that the request does not have", {}, example={"x-bot": {}}
    )
    query_params: Mapping[QueryParameter, PresenceMatch] = key(
        "parameters of the query", {}, example={"version": {"exact": "2"}}
    )
    port: Port | None = key("the port that was asked for", example=80)
    source_labels: Mapping[LabelKey, LabelValue] = key(
        "labels of the calling pod; not beside gateways", {}, example={"app": "frontend"}
    )
    source_namespace: Label | None = key("the namespace of the calling pod; not beside gateways", example="demo")
    gateways: tuple[MatchGateway, ...] = key(
        "where the request enters: gateways the service is exposed at, or mesh for the sidecars", (), example=["mesh"]
    )
    stat_prefix: SomeText | None = key("prefix of the statistics of these requests", example="beta")

    @model_validator(mode="after")
    def _asks_who_calls(self, info: ValidationInfo) -> Match:
        # Where gateways are named, istiod asks for nothing else of the caller (sourceMatchHTTP in
        # pilot/pkg/networking/core/route): whoever has written both would have everybody there take the route.
        asked = self.asks_who_calls
        if self.gateways and asked and info.context != AS_ISTIO_WRITES:
            raise ConflictError(
                f"{asked[0]} has no effect beside gateways, where Istio asks for the gateway alone; take gateways out "
                "of this match, and give those other than mesh a match of their own"
            )
        return self

    @model_validator(mode="after")
    def _has_a_condition(self) -> Match:
        if not self._conditions:
            raise ValueError("must have a condition such as uri or headers; a route without match takes every request")
        if self.ignore_uri_case and self.uri is not None and self.uri.regex is not None:
            raise ValueError("ignoreUriCase has no effect on a regex; write (?i) at its beginning")
        return self

    @property
    def asks_who_calls(self) -> list[str]:
        """The keys by which it asks for something of the calling pod."""
        return [
            *(["sourceLabels"] if self.source_labels else []),
            *(["sourceNamespace"] if self.source_namespace else []),
        ]

    @property
    def takes_all(self) -> bool:
        """Whether every request meets it: its one condition is the path's prefix /."""
        return self._conditions == {"uri"} and self.takes_path

    @property
    def takes_path(self) -> bool:
        """Whether it has a condition on the path that every path meets: the prefix /."""
        return self.uri is not None and self.uri.prefix == "/"

    @property
    def _conditions(self) -> set[str]:
        """What it asks for; an empty list or mapping asks for nothing."""
        asked = self.model_fields_set - {"name", "stat_prefix", "ignore_uri_case"}
        return {name for name in asked if getattr(self, name) not in ((), {})}
