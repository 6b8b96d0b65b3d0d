"""Strategies for how a service is released."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.model.strategies_values import (
    Values,
    header_names,
    keyed,
    lengths,
    lengths_or_zero,
    mapping,
    several,
    some_text,
)

_above_one = st.sampled_from([1.5, 2, "3", 1.0001, 1000])
_shares = st.lists(st.sampled_from([0, 0.0001, 0.5, 1, 5, 12.5, 25, 50, 99, 100]), max_size=4, unique=True)
_step = mapping({}, {"pause": lengths, "gate": st.just("manual")})


@st.composite
def _steps(draw: st.DrawFn) -> list[Any]:
    """Ascending shares, each alone, as a text, or with what ends its step."""
    return [
        draw(st.sampled_from([share, str(share)]) | _step.map(lambda step, share=share: {"share": share, **step}))  # type: ignore[misc]
        for share in sorted(draw(_shares))
    ]


# PromQL's selectors: https://prometheus.io/docs/prometheus/latest/querying/basics/#instant-vector-selectors
_counters = st.sampled_from(
    [
        'failures_total{version="{version}"}',
        '{__name__="a:b", version=~"{version}|x{1,2}"}',
        """a {version!='{version}', path="a\\"}b",}""",
        "a{version=`{version}`}",
    ]
)
_numbers = st.sampled_from([0, -1, 0.05, "3", 1e12])
_analysis = mapping(
    {},
    {
        "worse": _above_one,
        "tolerated": st.sampled_from([0, 0.1, "1", 5]),
        "falseAborts": st.sampled_from([0.01, 1e-9, "0.05", 0.5]),
        "latency": mapping({}, {"worse": _above_one, "tolerated": lengths_or_zero}),
        "margin": _above_one,
        "patience": lengths,
        "undecided": st.sampled_from(["hold", "promote", "abort"]),
    },
)
_metric = mapping(
    {"name": some_text},
    {},
).flatmap(
    lambda named: (
        mapping({"query": some_text, "max": _numbers}, {"for": lengths})
        | mapping({"query": some_text, "min": _numbers}, {"for": lengths})
        | mapping({"query": _counters, "of": _counters, "worse": _above_one})
    ).map(lambda rule: named | rule)
)
_metrics = st.lists(_metric, max_size=2, unique_by=lambda metric: metric["name"])
prometheus: Values = mapping(
    {
        "url": st.sampled_from(
            ["http://prometheus.istio-system:9090", "https://[fd00::7]/thanos", "http://10.0.0.1:1/a/"]
        )
    },
    {"flavour": st.sampled_from(["istio", "envoy"]), "headers": keyed(header_names, some_text)},
)
_check = mapping({"run": some_text}, {"at": several(st.sampled_from([5, 25, "50"])), "timeout": lengths})
rollouts: Values = mapping(
    {},
    {
        "steps": _steps(),
        "pause": lengths,
        "analysis": _analysis,
        "metrics": _metrics,
        "checks": several(_check),
        "onRegression": st.sampled_from(["abort", "hold"]),
        "keep": lengths,
        "control": st.sampled_from([True, False, "true"]),
    },
)
