"""Strategies for the scalars of the config: every form that YAML or Pulumi may give them in, and the values at their
edges.

Everything drawn here is valid by itself. What is valid, the documentation of Istio and Envoy says, and not the model
that is tested with it: words and bounds are written out here, with their source. Strategies are built once, as
constants: building them costs more than drawing from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import combinations
from random import Random
from typing import Any

from hypothesis import strategies as st

Values = st.SearchStrategy[Any]
MAX_INT32 = 2**31 - 1
MAX_UINT32 = 2**32 - 1
WHOLE = 10**6
"""All requests, in ten-thousandths of a percent, the finest share there is."""


def mapping(
    required: Mapping[str, Values], optional: Mapping[str, Values] | None = None, least: int = 0, most: int = 3
) -> Values:
    """A mapping with all required keys, and of the optional ones `least` to `most`, so that a whole config stays
    small.
    """
    values = {**required, **(optional or {})}
    few = some_of(sorted(optional or {}), least, most)

    @st.composite
    def drawn(draw: st.DrawFn) -> dict[str, Any]:
        return {name: draw(values[name]) for name in (*required, *draw(few))}

    return drawn()


def some_of(choices: Sequence[Any], least: int = 0, most: int = 3) -> Values:
    """A few different ones of the choices, each number of them as likely: one draw, where a list of drawn ones would
    be several.
    """
    by_size = [list(combinations(choices, size)) for size in range(least, min(most, len(choices)) + 1)]
    for few in by_size:
        # Small integers are drawn more often than large ones, and none of the choices shall be.
        Random(len(few)).shuffle(few)

    def picked(number: int) -> list[Any]:
        index, size = divmod(number, len(by_size))
        return list(by_size[size][index % len(by_size[size])])

    return st.integers(0, len(by_size) * max(map(len, by_size)) - 1).map(picked)


def several(values: Values, least: int = 0, most: int = 2) -> Values:
    """A list of a few."""
    return st.lists(values, min_size=least, max_size=most)


def keyed(keys: Values, values: Values, most: int = 2) -> Values:
    """A mapping with keys of its user's own."""
    return st.dictionaries(keys, values, max_size=most)


# Texts
_NO_CONTROL = st.characters(codec="utf-8", exclude_categories=["Cc"])
some_text = st.sampled_from(["a", "/", "/api/v1", "x y", "naïve café", "日本語", "😀", "%", "{}", "x" * 300]) | st.text(
    _NO_CONTROL, min_size=1, max_size=5
).filter(str.strip)
free_text = st.sampled_from(
    ["", "-text=Hello", "1.10", "two\nlines", "ключ", "x" * 1000, 8080, -1, 0, True, False]
) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
flags = st.sampled_from([True, False, "true", "false"])


# Numbers
def whole(low: int, high: int) -> Values:
    """Whole numbers between the bounds: as a number, as text of digits, or as 5.0; which of these depends on the
    number.
    """
    return st.integers(low, high).map(_form)


def _form(number: int) -> int | float | str:
    return str(number) if number % 5 == 3 else float(number) if number % 5 == 4 else number


ten_thousandths = st.sampled_from(
    [0, 1, 5000, 10_000, 50_000, 130_000, 200_000, 333_333, 500_000, WHOLE]
) | st.integers(0, WHOLE)


def percentage(share: int) -> int | float | str:
    """A share in ten-thousandths of a percent as the config has it."""
    return _form(share // 10**4) if share % 10**4 == 0 else str(share / 10**4) if share % 5 == 3 else share / 10**4


percents = ten_thousandths.map(percentage)
counts = whole(0, MAX_INT32)
from_one = whole(1, MAX_INT32)
unsigned = whole(0, MAX_UINT32)
ports = whole(1, 65535)
# Without those of Istio's own (its documentation, "Ports used by Istio").
free_ports = whole(1, 14999) | whole(15100, 65535)
statuses = whole(200, 599)
# Envoy's API, config.route.v3.RedirectAction.RedirectResponseCode; Istio's makes the numbers of it.
redirect_codes = st.sampled_from([301, 302, 303, 307, 308, "302", 307.0])
# Envoy's API, config.cluster.v3.Cluster.RingHashLbConfig: at most 8M.
ring_sizes = st.sampled_from([1024, 8388608, "0"]) | whole(0, 8388608)
positives = st.sampled_from([1, 1.5, "0.1", 0.0001, 999999999, "2"]) | st.floats(0.001, 1000).map(
    lambda number: round(number, 3)
)

# Durations
_UNITS = ("ms", "s", "m", "h")


@st.composite
def _lengths(draw: st.DrawFn, units: Sequence[str]) -> str:
    chosen = draw(st.lists(st.sampled_from(units), min_size=1, max_size=2, unique=True))
    return "".join(f"{draw(st.integers(1, 1000))}{unit}" for unit in chosen)


lengths = st.sampled_from(
    [
        "1ms",
        "3s",
        "+1s",
        ".5s",
        "1.h",
        "1.5h",
        "1000µs",
        "1000μs",
        "1000us",
        "1000000ns",
        "1m30s",
        "1.250s",
        "1h0m0s",
        "2562047h",
    ]
) | _lengths(_UNITS)
lengths_or_zero = st.sampled_from(["0s", "0", 0]) | lengths
whole_seconds = st.sampled_from(["1s", "24h", "1.5h", "60000ms"]) | _lengths(_UNITS[1:])

moments = st.sampled_from(
    [
        "2026-11-25T14:00:00Z",
        "1999-12-31T23:59:59.999999+14:00",
        "2024-02-29T00:00:00-00:30",
        "9999-12-31T23:59:59Z",
        "2026-11-25T14:00:00.5Z",
    ]
)

# Names
labels = st.sampled_from(["a", "v1", "v2", "0", "a-b", "b-c", "web", "x" * 63]) | st.text(
    "ab1-", min_size=1, max_size=4
).map(lambda text: text.strip("-") or "z")
label_keys = st.sampled_from(["app", "istio", "A_b.c-d", "example.com/app", f"{'d' * 60}.x/{'k' * 63}", "k" * 63, "0"])
label_values = st.sampled_from(["", "a", "A_b.c-d", "v" * 63, "1.0"]) | labels
env_names = st.sampled_from(["A", "LOG_LEVEL", "_a", "a.b-c", "-x", ".a", "e" * 200])
images = st.sampled_from(
    [
        "a",
        "app:1",
        "hashicorp/http-echo:1.0.0",
        "localhost:5000/a/b:1.0_x",
        "registry.example.com/team/app@sha256:" + "a" * 64,
        "[::1]:5000/app",
        "a/b__c/d--e",
        "App.example/x:Tag-1",
        "n" * 255,
        "a:" + "t" * 128,
    ]
)
domains = st.sampled_from(
    [
        "shop.example.com",
        "*.example.com",
        "a.b",
        "*.a.b",
        "Shop.Example.org",
        "10.0.0.1",
        f"{'d' * 63}.{'e' * 63}.example",
        "x-1.0.y",
    ]
)
server_hosts = st.sampled_from(["*", "./*", "*/*", "*/*.example.com", "./shop.example.com", "other/a.b"]) | domains

# Words of HTTP; the variables in values are those of Envoy's "Substitution Formatter"
_TOKENS = ("x-user", "X-Canary", "!#$%&'*+-.^_`|~", "0", "h" * 100)
header_names = st.sampled_from(_TOKENS)
match_header_names = st.sampled_from(
    [*_TOKENS, ":method", ":scheme", ":authority", ":path", ":status", "cookie", "Host"]
)
host_headers = st.sampled_from(["Host", "host", ":authority", ":AUTHORITY"])
# Envoy's API, UpstreamTlsContext.sni: at most 255 bytes.
server_names = st.sampled_from(["backend.example.com", "a", "x" * 255, "日" * 85])
# The methods of HTTP (RFC 9110, RFC 5789); Istio also takes *.
CORS_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")
# grpc.github.io/grpc/core/md_doc_statuscodes.html
GRPC_STATUSES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    "UNAUTHENTICATED",
)  # fmt: skip
# Envoy's documentation of its router filter, x-envoy-retry-on and x-envoy-retry-grpc-on, of which Istio's
# HTTPRetry.retryOn speaks.
RETRY_CONDITIONS = (
    "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx", "refused-stream",
    "retriable-status-codes", "retriable-headers", "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal",
    "resource-exhausted", "unavailable",
)  # fmt: skip
cors_header_names = st.sampled_from(["*", *_TOKENS])
header_values = st.sampled_from(
    [
        "",
        "yes",
        "100%%",
        "%HOSTNAME%",
        "%REQ(x-user?x-other)% and %START_TIME(%s)%",
        "%UPSTREAM_HOST%%PROTOCOL%",
        "%FILTER_STATE(a:PLAIN)%",
        "%GRPC_STATUS(NUMBER)%",
        "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
        "ä\tö",
        "😀",
        '%DYNAMIC_METADATA(["a", "b"])%',
        1,
        True,
    ]
) | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="%"), max_size=5)


def _joined(form: str, conditions: list[Any]) -> Any:
    return form.join(map(str, conditions)) if form else conditions


retry_conditions = st.builds(
    _joined,
    st.sampled_from(["", ",", " , "]),
    several(st.sampled_from([*RETRY_CONDITIONS, *(status.value for status in HTTPStatus), "503"]), 1, 3),
)

# Regular expressions in what Go and C++ both call RE2's syntax: istiod reads them with the one, Envoy with the other,
# which refuses those of more than 32768 instructions (a letter of any script is some 1200), and reads byte by byte:
# there is no \x{100}
_ATOMS = (
    "a", "é", ".", r"\.", r"\d", r"\pL", r"\p{Greek}", r"\PN", r"\x{FF}", r"\x41", r"\Qa.b\E", r"\bx", "[a-z0-9_]", "[^/]",
    "[[:alpha:]]", "(a|b)", "(?:x)", "(?i)x", "(?P<name>x)", "(?i:x)", "()", "^", "$", r"\A", r"\z", r"\t", r"\n", "/api/", " a",
)  # fmt: skip
_REPEATED = tuple(
    f"(?:{atom}){times}" for atom in _ATOMS for times in ("*", "+?", "?", "{2}", "{0,3}", "{1,}", "{0,20}")
)
regexes = (
    st.sampled_from(["v[12]", "(?s).*", "x" * 1024, "ü" * 512, "[" + "a-c" * 300 + "]", "a{1000}"])
    | several(st.sampled_from(_ATOMS), 1, 3).map("".join)
    | st.sampled_from(_REPEATED)
)
