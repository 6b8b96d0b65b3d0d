"""Requests that callers have given up before there was an answer: no failure to Envoy, and no time either.

They are not among what is compared, since a proxy cannot tell them at once from those that are under way: what is
certain of the version comes later than what may be. So they take no version back; they let no step end.
"""

from __future__ import annotations

from weir.measurement.answers import Answers
from weir.model.config.rollout import Analysis
from weir.rollout.state import State


class GivenUp:
    """Those of a step, of both versions."""

    def __init__(self, state: State, analysis: Analysis) -> None:
        self._state, self._analysis = state, analysis
        self._stable, self._version = Answers(), Answers()

    def anew(self) -> None:
        """What came until now belongs to another step."""
        self._stable, self._version = Answers(), Answers()

    def count(self, stable: Answers, version: Answers) -> None:
        """What came since the last look."""
        self._stable.active = self._version.active = 0
        self._stable.add(stable)
        self._version.add(version)

    @property
    def waits(self) -> str:
        """Why a step does not end; empty where the version has no more of them than the stable one, by `margin`."""
        # Of the version those that are certain: none that is under way. Of the stable one all there may be.
        certain = self._version.unanswered - self._version.active
        most = max(0, self._stable.unanswered)
        of, of_stable = self._version.requests + certain, self._stable.requests + most
        tolerated = max(float(self._analysis.tolerated) / 100, most / of_stable if of_stable else 0.0)
        if certain <= 0 or certain <= float(self._analysis.margin) * tolerated * of:
            return ""
        return (
            f"{certain:,} of {of:,} requests of {self._state.version} got no answer until their callers gave them up, "
            f"of {self._state.compared} {most:,} of {of_stable:,}"
        )
