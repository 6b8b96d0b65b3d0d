"""Strategies for how a service is released."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.model.strategies_values import Values, lengths, mapping, several, some_text

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


_analysis = mapping(
    {},
    {
        "worse": _above_one,
        "tolerated": st.sampled_from([0, 0.1, "1", 5]),
        "falseAborts": st.sampled_from([0.01, 1e-9, "0.05", 0.5]),
        "latency": mapping({}, {"worse": _above_one}),
        "margin": _above_one,
        "patience": lengths,
        "undecided": st.sampled_from(["hold", "promote", "abort"]),
    },
)
_check = mapping({"run": some_text}, {"at": several(st.sampled_from([5, 25, "50"])), "timeout": lengths})
rollouts: Values = mapping(
    {},
    {
        "steps": _steps(),
        "pause": lengths,
        "analysis": _analysis,
        "checks": several(_check),
        "onRegression": st.sampled_from(["abort", "hold"]),
    },
)
