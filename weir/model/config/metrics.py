"""A Prometheus that is asked, and what of it the user wants to be looked at during a rollout. None of it becomes part
of an object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import PlainValidator, field_validator, model_validator

from weir.model.config.base import Part, exactly_one, given, key, required
from weir.model.config.environment import EnvValue
from weir.model.values.durations import Duration, Length
from weir.model.values.http import OtherHeader
from weir.model.values.numbers import Number, Positive, plain
from weir.model.values.problems import shown
from weir.model.values.schema import described
from weir.model.values.text import SomeText

PLACES = ("service", "version", "namespace")
"""What a query may name in braces; all other braces are PromQL's."""

# Of PromQL's grammar: a name, matchers, or both; a text in quotes may have braces.
_SELECTOR = re.compile(
    r"""\s*(?=[\w:{])(?:[a-zA-Z_:][\w:]*)?\s*(?:\{(?:[^{}"'`]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)*\})?\s*""",
    re.ASCII,
)


def asked(query: str, **places: str) -> str:
    """The query with `{service}`, `{version}` and `{namespace}` filled in; PromQL's own braces stay as they are."""
    for name in PLACES:
        query = query.replace(f"{{{name}}}", places[name])
    return query


def _url(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[!-~]+", value):
        raise ValueError(f"must be a URL such as http://prometheus.istio-system:9090, was {shown(value)}")
    try:
        parts = urlsplit(value)
        sound = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        sound = False
    if not sound:
        raise ValueError(f"must be a URL such as http://prometheus.istio-system:9090, was {shown(value)}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must have no name and password in it; write headers with Authorization, as a secret")
    if parts.query or parts.fragment:
        raise ValueError(f"must end before ? and #, was {shown(value)}")
    return value


Url = Annotated[str, PlainValidator(_url), described("URL", type="string", pattern="^https?://[^?#@]+$")]


class Prometheus(Part):
    """A Prometheus, or what speaks its HTTP API, such as Thanos or Mimir."""

    url: Url | None = key(
        "where it answers, as this machine reaches it, without /api/v1; it is not asked when left out",
        example="http://prometheus.istio-system:9090",
    )
    flavour: Literal["istio", "envoy"] = key(
        "whose metrics count the requests of a rollout: istio (istio_requests_total), or envoy (those of a sidecar's "
        "clusters, where proxyStatsMatcher keeps them)",
        "istio",
        example="envoy",
    )
    headers: Mapping[OtherHeader, EnvValue] = key(
        "headers of each request to it; values may be secrets",
        {},
        example={"X-Scope-OrgID": "shop"},
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Prometheus:
        if self.url is None and (there := given(self, "flavour", "headers")):
            raise ValueError(f"needs url beside {' and '.join(there)}, such as http://prometheus.istio-system:9090")
        return self


class Metric(Part):
    """A query of the user's own. Exactly one of worse, max and min says when the version is bad. `{service}`,
    `{version}` and `{namespace}` in it are filled in.
    """

    name: SomeText = required("what messages call it", example="checkout errors")
    query: SomeText = required(
        "PromQL; with worse, a selector of a counter of what is bad",
        example='sum(rate(checkout_failures_total{app="{service}", version="{version}"}[1m]))',
    )
    of: SomeText | None = key(
        "with worse: a selector of the counter of all, bad or not",
        example='checkouts_total{app="{service}", version="{version}"}',
    )
    worse: Positive | None = key(
        "how many times the odds of what is bad are worse than the stable version's", example=1.5
    )
    max: Number | None = key("the most that the query may give for the version", example=0.05)
    min: Number | None = key("the least that the query may give for the version", example=100)
    for_: Length = key(
        "with max and min: how long the value must be beyond it, at every look, until the version is bad",
        Duration.parse("1m"),
        example="2m",
        unit="duration",
        alias="for",
    )

    @field_validator("worse")
    @classmethod
    def _above_one(cls, value: Decimal | None) -> Decimal | None:
        if value is not None and value <= 1:
            raise ValueError(f"must be above 1, was {plain(value)}")
        return value

    @model_validator(mode="after")
    def _one_rule(self) -> Metric:
        exactly_one(self, "worse", "max", "min")
        if self.worse is None:
            if self.of is not None:
                raise ValueError("has of, which goes with worse; remove it")
            return self
        if given(self, "for_"):
            raise ValueError("has for, which goes with max and min; remove it")
        if self.of is None:
            raise ValueError("needs of beside worse: the counter of all, of which query counts the bad ones")
        for name, query in (("query", self.query), ("of", self.of)):
            filled = asked(query, service="s", version="v", namespace="n")
            if not _SELECTOR.fullmatch(filled):
                raise ValueError(
                    f"{name} must be a selector of a counter beside worse, such as failures_total{{version="
                    f'"{{version}}"}}, without rate() or sum(): weir takes differences itself; was {shown(query)}'
                )
            if "{version}" not in query:
                raise ValueError(f"{name} must have {{version}} in it beside worse, was {shown(query)}")
        return self
