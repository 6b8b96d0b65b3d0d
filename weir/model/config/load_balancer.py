"""How a caller's proxy chooses among the pods of a version: Istio's LoadBalancerSettings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import PlainValidator, model_validator

from weir.model.config.base import Part, at_most_one, exactly_one, key, required
from weir.model.values.durations import Length, LengthOrZero
from weir.model.values.http import MatchHeader
from weir.model.values.numbers import LocalityWeight, Percent, Positive, Prime, RingSize, UnsignedFromOne
from weir.model.values.problems import shown
from weir.model.values.schema import described
from weir.model.values.text import Flag, SomeText, bounded_text

_TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")


def _locality(value: Any) -> str:
    parts = value.split("/") if isinstance(value, str) else [""]
    if (
        not all(parts)
        or len(parts) > 3
        or any("*" in part for part in parts[:-1])
        or ("*" in parts[-1] and parts[-1] != "*")
    ):
        raise ValueError(f"must be region, region/zone or region/zone/subzone, the last perhaps *, was {shown(value)}")
    return str(value)


def _region(value: Any) -> str:
    if not isinstance(value, str) or not value or "/" in value or "*" in value:
        raise ValueError(f"must be a region alone, without zone and without *, was {shown(value)}")
    return value


Locality = Annotated[str, PlainValidator(_locality), described("locality")]
Region = Annotated[str, PlainValidator(_region), described("region")]


MAX_ATTRIBUTE_BYTES = 16384
"""Envoy's bound (`config.route.v3.RouteAction.HashPolicy.CookieAttribute`)."""

AttributeText = Annotated[str, bounded_text(MAX_ATTRIBUTE_BYTES), described("text")]


class CookieAttribute(Part):
    """An attribute of the cookie."""

    message = "LoadBalancerSettings.ConsistentHashLB.HTTPCookie.Attribute"

    name: AttributeText = required("its name", example="SameSite")
    value: AttributeText | None = key("its value", example="Strict")


class HttpCookie(Part):
    """A cookie to hash; the proxy makes it where it is missing and has a ttl."""

    message = "LoadBalancerSettings.ConsistentHashLB.HTTPCookie"

    name: SomeText = required("its name", example="user")
    path: SomeText | None = key("the path it is for", example="/")
    ttl: LengthOrZero | None = key("how long it lives; 0s for as long as the browser", example="1h", unit="duration")
    attributes: tuple[CookieAttribute, ...] = key(
        "further attributes", (), example=[{"name": "SameSite", "value": "Strict"}]
    )

    @model_validator(mode="after")
    def _names_once(self) -> HttpCookie:
        names = [attribute.name for attribute in self.attributes]
        if len(set(names)) < len(names):
            raise ValueError(f"must name each attribute once, was {', '.join(names)}")
        return self


class RingHash(Part):
    """Hashing onto a ring."""

    message = "LoadBalancerSettings.ConsistentHashLB.RingHash"

    minimum_ring_size: RingSize | None = key("the least number of points on the ring; 1024 in Istio", example=2048)


class MagLev(Part):
    """Hashing by a Maglev table."""

    message = "LoadBalancerSettings.ConsistentHashLB.MagLev"

    table_size: Prime = required("entries of the table, a prime", example=65537)


class ConsistentHash(Part):
    """The same key goes to the same pod, within one version."""

    message = "LoadBalancerSettings.ConsistentHashLB"
    hints: ClassVar[Mapping[str, str]] = {"minimumRingSize": "deprecated by Istio; use ringHash: {minimumRingSize: …}"}

    http_header_name: MatchHeader | None = key("hash this header", example="x-user")
    http_cookie: HttpCookie | None = key("hash this cookie", example={"name": "user", "ttl": "1h"})
    use_source_ip: Flag | None = key("hash the caller's address", example=True)
    http_query_parameter_name: SomeText | None = key("hash this parameter of the query", example="user")
    ring_hash: RingHash | None = key("hash onto a ring, Istio's default", example={"minimumRingSize": 2048})
    maglev: MagLev | None = key("hash by a Maglev table", example={"tableSize": 65537})

    @model_validator(mode="after")
    def _one_key(self) -> ConsistentHash:
        exactly_one(self, "http_header_name", "http_cookie", "use_source_ip", "http_query_parameter_name")
        at_most_one(self, "ring_hash", "maglev")
        return self


class Distribute(Part):
    """Where the requests of callers in one locality go."""

    message = "LocalityLoadBalancerSetting.Distribute"

    from_: Locality = required("the callers' locality", example="us-west/zone1/*", alias="from")
    to: Mapping[Locality, LocalityWeight] = required(
        "localities and their share in whole percent, 100 in all",
        example={"us-west/zone1/*": 80, "us-west/zone2/*": 20},
        unit="percent",
    )

    @model_validator(mode="after")
    def _adds_up(self) -> Distribute:
        total = sum(self.to.values())
        if total != 100:
            raise ValueError(f"the shares must add up to 100, was {total}")
        _no_overlap(list(self.to))
        return self


class Failover(Part):
    """Where requests go when the region's own pods fail."""

    message = "LocalityLoadBalancerSetting.Failover"

    from_: Region = required("the region whose pods fail", example="us-west", alias="from")
    to: Region = required("the region to go to", example="us-east")

    @model_validator(mode="after")
    def _goes_elsewhere(self) -> Failover:
        if self.from_ == self.to:
            raise ValueError(f"must go to another region than {self.from_}")
        return self


class LocalityLbSetting(Part):
    """Preference for near pods."""

    message = "LocalityLoadBalancerSetting"

    enabled: Flag | None = key("whether it is used; the mesh's setting when left out", example=True)
    distribute: tuple[Distribute, ...] = key(
        "shares by locality",
        (),
        example=[{"from": "us-west/zone1/*", "to": {"us-west/zone1/*": 80, "us-west/zone2/*": 20}}],
    )
    failover: tuple[Failover, ...] = key(
        "regions to fall back to; needs outlierDetection", (), example=[{"from": "us-west", "to": "us-east"}]
    )
    failover_priority: tuple[SomeText, ...] = key(
        "labels that make a pod near, most important first; needs outlierDetection",
        (),
        example=["topology.istio.io/network"],
    )

    @model_validator(mode="after")
    def _one_way(self) -> LocalityLbSetting:
        at_most_one(self, "distribute", "failover")
        both = sorted(set(self.failover_priority) & set(_TOPOLOGY))
        if self.failover and both:
            raise ValueError(f"must not have failover and {both[0]} in failoverPriority")
        _no_overlap([entry.from_ for entry in self.distribute])
        return self


class ZoneAwareLbSetting(Part):
    """Preference for pods of the own zone, as Envoy does it."""

    message = "ZoneAwareLoadBalancerSetting"

    enabled: Flag | None = key("whether it is used", example=True)
    failover: tuple[Failover, ...] = key(
        "regions to fall back to; needs outlierDetection", (), example=[{"from": "us-west", "to": "us-east"}]
    )
    failover_priority: tuple[SomeText, ...] = key(
        "labels that make a pod near; needs outlierDetection", (), example=["topology.istio.io/network"]
    )
    min_cluster_size: UnsignedFromOne | None = key("pods that there must be before zones count", example=6)

    @model_validator(mode="after")
    def _leaves_topology_out(self) -> ZoneAwareLbSetting:
        topology = sorted(set(self.failover_priority) & set(_TOPOLOGY))
        if topology:
            raise ValueError(f"must not have {topology[0]} in failoverPriority: region and zone are handled anyway")
        return self


class Warmup(Part):
    """A new pod's share of requests grows over this time."""

    message = "WarmupConfiguration"

    duration: Length = required("how long it takes to its full share", example="30s", unit="duration")
    minimum_percent: Percent | None = key("the share it begins with; 10 in Envoy", example=5, unit="percent")
    aggression: Positive | None = key("above 1 the share grows faster at first", example=1.5)


class LoadBalancer(Part):
    """How a pod is chosen. Istio's default is LEAST_REQUEST."""

    message = "LoadBalancerSettings"
    hints: ClassVar[Mapping[str, str]] = {"warmupDurationSecs": "deprecated by Istio; use warmup: {duration: …}"}

    simple: Literal["LEAST_REQUEST", "RANDOM", "ROUND_ROBIN", "PASSTHROUGH"] | None = key(
        "an algorithm without settings", example="ROUND_ROBIN"
    )
    consistent_hash: ConsistentHash | None = key("the same key to the same pod", example={"httpHeaderName": "x-user"})
    locality_lb_setting: LocalityLbSetting | None = key("near pods first", example={"enabled": True})
    zone_aware_lb_setting: ZoneAwareLbSetting | None = key("pods of the own zone first", example={"enabled": True})
    warmup: Warmup | None = key("new pods begin with few requests", example={"duration": "30s"})

    @model_validator(mode="after")
    def _one_algorithm(self) -> LoadBalancer:
        at_most_one(self, "simple", "consistent_hash")
        at_most_one(self, "locality_lb_setting", "zone_aware_lb_setting")
        return self

    @property
    def fails_over(self) -> bool:
        """Whether it names places to fall back to, which needs outlier detection to know when."""
        settings = (self.locality_lb_setting, self.zone_aware_lb_setting)
        return any(setting is not None and bool(setting.failover or setting.failover_priority) for setting in settings)


def _no_overlap(localities: list[str]) -> None:
    for index, first in enumerate(localities):
        for second in localities[index + 1 :]:
            if _overlap(first.split("/"), second.split("/")):
                raise ValueError(f"must name no locality twice: {first} and {second} overlap")


def _overlap(first: list[str], second: list[str]) -> bool:
    for mine, theirs in zip(first, second, strict=False):
        if "*" in (mine, theirs):
            return True
        if mine != theirs:
            return False
    return True
