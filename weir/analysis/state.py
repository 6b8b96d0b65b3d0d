"""What is known of a metric as plain data for JSON, and back, without the loss of a bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, replace
from typing import Any

from weir.analysis.evidence import Evidence
from weir.analysis.metric import Metric, Seen


def of_metric(metric: Metric) -> dict[str, Any]:
    """The metric, without its limits."""
    return {
        "odds": _of_evidence(metric.odds),
        "share": None if metric.share is None else _of_evidence(metric.share),
        "proof": _of_evidence(metric.proof),
        "total": list(astuple(metric.total)),
        "step": list(astuple(metric.step)),
    }


def metric(new: Metric, saved: Mapping[str, Any]) -> Metric:
    """The saved metric with the limits of a new one. Raises ValueError, KeyError or TypeError for what is none."""
    return replace(
        new,
        odds=_evidence(new.odds, saved["odds"]),
        share=None if new.share is None else _evidence(new.share, saved["share"]),
        proof=_evidence(new.proof, saved["proof"]),
        total=_seen(saved["total"]),
        step=_seen(saved["step"]),
    )


def numbers(saved: Any, length: int) -> tuple[float, ...]:
    """The saved numbers. Raises ValueError where there are not so many, or one is infinite."""
    found = tuple(float(number) for number in saved)
    if len(found) != length or not all(map(math.isfinite, found)):
        raise ValueError(f"{length} numbers were expected, not {saved!r}")
    return found


def _of_evidence(evidence: Evidence) -> list[float]:
    return [evidence.reserve, *evidence.logs]


def _evidence(new: Evidence, saved: Any) -> Evidence:
    reserve, *logs = numbers(saved, 1 + len(new.logs))
    return Evidence(tuple(logs), reserve)


def _seen(saved: Any) -> Seen:
    if len(saved) != 4 or not all(type(count) is int and count >= 0 for count in saved):
        raise ValueError(f"these are no counts: {saved!r}")
    return Seen(*saved)
