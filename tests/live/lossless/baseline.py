"""The naive program under the same load: it must lose requests, so that the load is known to see what it looks for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.live.harness import Project
from tests.live.lossless.lab_stack import FORTIO, LabStack
from tests.live.lossless.load import FULL, Load, Rate

_SOURCE = Path(__file__).parent / "naive"


@dataclass(frozen=True)
class LostRequests:
    """What one update of the naive program cost."""

    step: str
    requests: int
    failed: int
    codes: Mapping[str, int]
    flags: Mapping[str, int]

    def figures(self) -> dict[str, Any]:
        return asdict(self)


class NaiveStack:
    """The naive program's stack, in a directory of its own; made and destroyed with the block."""

    def __init__(self, project: Project, rate: Rate = FULL) -> None:
        self._rate = rate
        self._place = LabStack.beside(project, _SOURCE, "naive")

    def __enter__(self) -> NaiveStack:
        self.stack = self._place.__enter__()
        self._up({"v1": 100})
        return self

    def __exit__(self, *exception: Any) -> None:
        self._place.__exit__(*exception)

    def measure(self) -> Iterator[LostRequests]:
        """Add a version at 50 %, then remove one, each by one `pulumi up` under a load of its own."""
        for step, weights in (("add v2 at 50", {"v1": 50, "v2": 50}), ("remove v1", {"v2": 100})):
            with Load(self.stack, rate=self._rate) as load:
                self._up(weights)
                tally = load.stop()
            yield LostRequests(step, tally.requests, tally.failed, dict(tally.codes), tally.flags)

    def _up(self, weights: Mapping[str, int]) -> None:
        self.stack.run(
            f"pulumi config set --stack naive image {FORTIO} && pulumi config set --stack naive weights "
            f"'{json.dumps(weights)}'"
        )
        self.stack.up()
