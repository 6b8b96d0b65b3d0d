"""Strategies for what can be said of a route: its conditions, faults, retries, headers, CORS, rewrites and answers."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.unit.model.strategies_values import (
    CORS_METHODS,
    GRPC_STATUSES,
    Values,
    cors_header_names,
    domains,
    flags,
    free_text,
    from_one,
    header_names,
    header_values,
    host_headers,
    keyed,
    label_keys,
    label_values,
    labels,
    lengths,
    mapping,
    match_header_names,
    moments,
    percents,
    ports,
    redirect_codes,
    regexes,
    retry_conditions,
    several,
    some_text,
    statuses,
    whole_seconds,
)

# Conditions
prefix_match = mapping({"prefix": some_text})
string_match = mapping({"exact": some_text}) | prefix_match | mapping({"regex": regexes})
presence_match: Values = st.just({}) | string_match
_regex_match = mapping({"regex": regexes})
_conditions = {
    "scheme": st.sampled_from(["http", "https"]).map(lambda scheme: {"exact": scheme}) | string_match,
    "method": string_match,
    "authority": string_match,
    "headers": keyed(match_header_names, presence_match),
    "withoutHeaders": keyed(match_header_names, presence_match),
    "queryParams": keyed(some_text, presence_match),
    "port": ports,
    "sourceLabels": keyed(label_keys, label_values),
    "sourceNamespace": labels,
}
_marks = {"name": some_text, "statPrefix": some_text}


@cache
def matches(gateways: tuple[str, ...], by_prefix: bool) -> Values:
    """Matches of a route; `gateways` are those it may name beside mesh. With `by_prefix` a path is matched by prefix
    alone.
    """
    entrances = st.lists(st.sampled_from(["mesh", *gateways]), max_size=2)
    path = prefix_match if by_prefix else mapping({"exact": some_text}) | prefix_match
    optional = {**_conditions, **_marks, "gateways": entrances}
    with_path = mapping({"uri": path}, {**optional, "ignoreUriCase": flags})
    by_regex = mapping({"uri": _regex_match}, {**optional, "ignoreUriCase": st.sampled_from([False, "false"])})
    asking = {**_conditions, "gateways": entrances}
    without_path = st.sampled_from(sorted(asking)).flatmap(
        lambda name: mapping({name: optional[name]}, {**_marks, "ignoreUriCase": flags})
    )
    # An empty list or mapping asks for nothing, and a match has to ask for something.
    without_path = without_path.map(
        lambda match: (
            match if any(match[name] not in ({}, []) for name in match if name in asking) else {**match, "port": 80}
        )
    )
    drawn = with_path | without_path if by_prefix else with_path | without_path | by_regex
    return drawn.map(_by_gateway_or_caller)


def _by_gateway_or_caller(match: dict[str, Any]) -> dict[str, Any]:
    """Beside gateways the caller is not asked for, and to name it is refused."""
    return {
        name: value
        for name, value in match.items()
        if not (match.get("gateways") and value and name in ("sourceLabels", "sourceNamespace"))
    }


# Faults, retries, mirrors
_kinds_of_faults = {
    "delay": mapping({"percentage": percents, "fixedDelay": lengths}),
    "abort": mapping({"percentage": percents, "httpStatus": statuses})
    | mapping({"percentage": percents, "grpcStatus": st.sampled_from(GRPC_STATUSES)}),
}
faults = mapping({}, _kinds_of_faults, least=1).flatmap(
    lambda fault: mapping({name: st.just(part) for name, part in fault.items()}, {"until": moments})
)
# A header that no drawn route matches on.
_drill_headers = mapping({"headers": mapping({"x-drill": presence_match})})
drills = mapping({}, _kinds_of_faults, least=1).flatmap(
    lambda fault: mapping(
        {**{name: st.just(part) for name, part in fault.items()}, "until": moments}, {"match": _drill_headers}
    )
)
_some_retries = mapping(
    {"attempts": from_one},
    {
        "perTryTimeout": lengths,
        "retryOn": retry_conditions,
        "retryRemoteLocalities": flags,
        "retryIgnorePreviousHosts": flags,
        "backoff": lengths,
    },
)
retries = st.one_of(st.sampled_from([{"attempts": 0}, {"attempts": "0"}]), _some_retries, _some_retries, _some_retries)


@cache
def mirrors(versions: tuple[str, ...]) -> Values:
    """Mirrors to these versions."""
    return several(mapping({"version": st.sampled_from(versions)}, {"percentage": percents}))


# Headers
_response_headers = mapping(
    {},
    {
        "set": keyed(header_names, header_values),
        "add": keyed(header_names, header_values),
        "remove": several(header_names),
    },
)
_request_headers = mapping(
    {},
    {
        "set": keyed(header_names, header_values),
        "add": keyed(header_names, header_values),
        "remove": several(header_names),
    },
)


@st.composite
def _host_setting(draw: st.DrawFn) -> dict[str, Any]:
    """Headers that set a request's host, once: twice is refused, also beside rewrite.authority."""
    name = draw(st.sampled_from(["set", "add"]))
    return {name: {draw(host_headers): draw(header_values), **draw(keyed(header_names, header_values))}}


headers = mapping({}, {"request": _request_headers, "response": _response_headers})
headers_with_host = mapping({"request": _host_setting()}, {"response": _response_headers})

# Answers and rewrites
cors_policy = mapping(
    {"allowOrigins": several(string_match, 1)},
    {
        "allowMethods": several(st.sampled_from(CORS_METHODS)),
        "allowHeaders": several(cors_header_names),
        "exposeHeaders": several(cors_header_names),
        "maxAge": whole_seconds,
        "allowCredentials": flags,
        "unmatchedPreflights": st.sampled_from(["FORWARD", "IGNORE"]),
    },
)
path_rewrite = mapping({"uri": some_text}) | mapping(
    {"uriRegexRewrite": mapping({"match": regexes, "rewrite": some_text})}
)
_host_rewrite = mapping({"authority": domains | some_text})
rewrite = path_rewrite | _host_rewrite | st.builds(lambda path, host: {**path, **host}, path_rewrite, _host_rewrite)


@cache
def redirects(prefix: bool) -> Values:
    """Redirects; only with `prefix` also by a new beginning of the path."""
    where = {"uri": some_text, "authority": domains | some_text, "scheme": st.sampled_from(["http", "https"])}
    ports_to = {"port": ports, "derivePort": st.sampled_from(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"])}
    kinds = [
        mapping(
            {name: values}, {other: where[other] for other in where if other != name} | {"redirectCode": redirect_codes}
        )
        for name, values in where.items()
    ]
    kinds += [mapping({name: values}, {**where, "redirectCode": redirect_codes}) for name, values in ports_to.items()]
    if prefix:
        kinds += [
            mapping(
                {"prefixRewrite": some_text},
                {"authority": domains, "scheme": where["scheme"], "redirectCode": redirect_codes},
            )
        ]
    return st.one_of(kinds)


_bodies = mapping({"string": free_text | st.just("x" * 102401)}) | mapping(
    {"bytes": st.sampled_from(["AA==", "AAE=", "/+9+"])}
)
direct_response = mapping({"status": statuses}, {"body": _bodies})
