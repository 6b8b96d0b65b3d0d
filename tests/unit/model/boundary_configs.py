"""Configs that go past what weir is known to take: words of any kind, numbers on both sides of every bound anybody
has.

Nothing here says what is valid. weir judges; what it refuses is left as it was before, and what it calls sound is for
others to judge.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st

from tests.unit.model.config_places import Place, fields, places
from tests.unit.model.strategies import configs
from tests.unit.model.strategies_values import Values
from weir.model import ConfigError, load
from weir.model.config import answers, load_balancer, matches, traffic_policy
from weir.model.values import hosts, http, numbers, text
from weir.model.values.durations import Length, LengthOrZero, WholeSeconds

CHANGES = 4

# Bounds of Envoy's API (the validate rules of its protos), of HTTP and of IP, of 32 bits; ports that Istio's proxies
# listen at themselves.
_EDGES = [
    0,
    1,
    10,
    100,
    200,
    255,
    300,
    308,
    400,
    599,
    1000,
    1024,
    16384,
    65535,
    5000011,
    8388608,
    16777216,
    2**31 - 1,
    2**31,
    2**32 - 1,
]
_ISTIOS_PORTS = [15000, 15001, 15004, 15006, 15008, 15009, 15020, 15021, 15053, 15090]
_integers = (
    st.sampled_from([edge + step for edge in _EDGES for step in (-1, 0, 1)])
    | st.integers(300, 399)
    | st.integers(0, 2**32)
)
_ports = st.sampled_from(_ISTIOS_PORTS) | _integers
_fractions = st.sampled_from(
    [0, 0.0001, 0.5, 1, 99.9999, 100, 100.0001, 101, 999999999, "1e-9", "0.00001"]
) | st.floats(0, 101)
_lengths = st.sampled_from(
    ["0s", "1ns", "999us", "1ms", "1.5ms", "1s", "1193046h28m15s", "1193046h28m16s", "2562047h47m16.854s", "2562047h47m16.855s", "315576000000s"]
) | st.builds(lambda number, unit: f"{number}{unit}", st.integers(0, 2**32), st.sampled_from(["ms", "s", "m", "h"]))  # fmt: skip
_ODD = (
    "*", "%", "%%", "//", "..", "?", "#a", "a?b#c", "a\tb", "\u2028", "\x85", "\x7f", "a\nb", "\ud7ff", "\U0010ffff", "[::1]:80", "a:80",
    "SHOP.Example.com", "shop.example.com.", "xn--e1afmkfd.example", "_a.b", "1.2.3.4", "*.a.b", "a,b", "=;\"'", ":authority", "host", "content-length",
    "http://a/", "{a}", "{*}", "/{a=**}", "\\1", "\\0", "\\9", "\\", "\\\\", "(", "[a", "x-envoy-a", "grpc-timeout", "transfer-encoding",
)  # fmt: skip
_long = st.builds(
    lambda character, size: character * size,
    st.sampled_from(["x", "é", "日"]),
    st.sampled_from([63, 64, 85, 86, 127, 128, 255, 256, 341, 342, 1024, 1025, 5461, 5462, 16384, 16385]),
)
_texts = st.sampled_from(_ODD) | _long | st.text(max_size=8) | st.text("/*?{}=\\%:.aA1[]()|^$", max_size=8)
_COMMANDS = (
    "HOSTNAME", "REQ", "RESP", "TRAILER", "START_TIME", "DYNAMIC_METADATA", "UPSTREAM_METADATA", "FILTER_STATE", "PER_REQUEST_STATE", "CEL",
    "ENVIRONMENT", "GRPC_STATUS", "PATH", "QUERY_PARAM", "COMMON_DURATION", "METADATA", "PROTOCOL", "hostname", "FOO", "REQ_WITHOUT_QUERY",
    "CLIENT_IP", "UPSTREAM_HOST", "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "RESPONSE_CODE_DETAILS", "COALESCE", "TLS_VERSION",
)  # fmt: skip
_ARGUMENTS = (
    "",
    "()",
    "(a)",
    "(a?b)",
    "(a:b)",
    "(:path)",
    "(%s)",
    "(%n)",
    "(a b)",
    "( a)",
    '(["a"])',
    '(["a", "b"])',
    "(NUMBER)",
    "(8)",
    "(a:PLAIN)",
    ":5",
)
_variables = st.builds(
    lambda name, arguments: f"%{name}{arguments}%", st.sampled_from(_COMMANDS), st.sampled_from(_ARGUMENTS)
)
_header_values = _texts | _variables | st.lists(_variables | st.sampled_from(["a", "%%", "-"]), max_size=3).map("".join)
_atoms = st.sampled_from(
    [
        r"\pL",
        r"\PN",
        ".",
        "a",
        "[^/]",
        r"\p{Greek}",
        "(a|b)",
        "(?i)k",
        r"\x{10FFFF}",
        r"\C",
        "(?P<a>x)",
        "é",
        r"\b",
        "^",
    ]
)
_regexes = st.builds(
    lambda atom, times: f"(?:{atom}){times}", _atoms, st.sampled_from(["", "*", "{20}", "{27}", "{28}", "{69}", "{0,70}", "{100}", "{1000}"])
) | st.lists(_atoms | st.sampled_from(_ODD), min_size=1, max_size=4).map("".join) | _texts  # fmt: skip

WIDE: list[tuple[Any, Values]] = [
    *(
        (kind, _integers)
        for kind in (numbers.Count, numbers.FromOne, numbers.Unsigned, numbers.UnsignedFromOne, numbers.RingSize)
    ),
    *((kind, _integers) for kind in (numbers.Prime, numbers.ErrorCode, numbers.Status)),
    (numbers.RedirectCode, st.integers(300, 399) | _integers),
    *((kind, _integers) for kind in (numbers.WholePercent, numbers.LocalityWeight)),
    *((kind, _ports) for kind in (numbers.Port, numbers.ServicePort, numbers.GatewayPort)),
    *((kind, _fractions) for kind in (numbers.Percent, numbers.Share, numbers.Positive)),
    *((kind, _lengths) for kind in (Length, LengthOrZero, WholeSeconds)),
    *(
        (kind, _texts)
        for kind in (
            text.SomeText,
            traffic_policy.ServerName,
            matches.QueryParameter,
            load_balancer.AttributeText,
            fields(answers.Body)["string"],
        )
    ),
    *((kind, _texts) for kind in (http.CorsHeader, http.MatchHeader, http.WrittenHeader, http.OtherHeader)),
    *((kind, _texts) for kind in (hosts.Domain, hosts.ServerHost, load_balancer.Locality, load_balancer.Region)),
    (http.HeaderValue, _header_values),
    (http.Regex, _regexes),
    (text.Flag, st.booleans()),
]
"""Kinds of values that reach a proxy, and what is tried in their places."""

_OF_PODS = {
    "env",
    "args",
    "command",
    "resources",
    "readinessProbe",
    "livenessProbe",
    "startupProbe",
    "securityContext",
    "targetPort",
    "replicas",
}


@st.composite
def wide_configs(draw: st.DrawFn, namespace: str = "any") -> dict[str, Any]:
    """A config that weir calls sound, some values in it as odd as it lets them be."""
    config: dict[str, Any] = draw(configs(namespace, least=1, most=2))
    for _ in range(CHANGES):
        spots = list(_spots(config))
        kinds = sorted({name for name, _, _ in spots})
        kind = draw(st.sampled_from(kinds))
        place, wide = draw(st.sampled_from([(place, wide) for name, place, wide in spots if name == kind]))
        changed = _changed(config, place, draw(wide))
        if _is_sound(changed):
            config = changed
    return config


def _spots(config: dict[str, Any]) -> Iterator[tuple[str, Place, Values]]:
    """The places at which something else is tried, each with a name for its kind."""
    for place in places(config):
        if (
            place.path[0] in ("services", "gateways")
            and _OF_PODS.isdisjoint(map(str, place.path))
            and (wide := _wide(place.annotation))
        ):
            # By key as well: what is at many places is not tried more often than what is at few.
            holder = place.path[-2] if place.key or isinstance(place.path[-1], int) else place.path[-1]
            yield f"{wide[0]} {holder}", place, wide[1]


def _wide(annotation: Any) -> tuple[int, Values] | None:
    # Remembered by identity: to compare types takes longer than all else here.
    if id(annotation) not in _known:
        found = next(((number, wide) for number, (kind, wide) in enumerate(WIDE) if kind == annotation), None)
        if get_origin(annotation) is Literal:
            found = (-1, st.sampled_from(get_args(annotation)))
        _known[id(annotation)] = (annotation, found)
    return _known[id(annotation)][1]


_known: dict[int, tuple[Any, tuple[int, Values] | None]] = {}


def _changed(config: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(config)
    holder: Any = changed
    for key in place.path[:-1]:
        holder = holder[key]
    if place.key:
        holder[value] = holder.pop(place.path[-1])
    else:
        holder[place.path[-1]] = value
    return changed


def _is_sound(config: dict[str, Any]) -> bool:
    try:
        load(config)
    except ConfigError:
        return False
    return True
