"""A rollout that is under way owns the split of its service: what another release does about it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from weir.cluster.errors import DeniedError
from weir.cluster.kubectl import Kubectl
from weir.errors import UsageError
from weir.model.values.numbers import plain
from weir.rollout import record
from weir.rollout.state import State

_TRIES = 5


class UnderWay:
    """The rollout of a service, if there is one that is not over. It is asked about while the release is planned."""

    def __init__(self, kubectl: Kubectl, service: str) -> None:
        self._kubectl, self._service = kubectl, service
        with ThreadPoolExecutor(1) as pool:
            self._asked = pool.submit(record.read, kubectl, service)
            pool.shutdown(wait=False)

    def _kept(self) -> record.Kept | None:
        try:
            found = self._asked.result()
        except DeniedError:
            return None  # who may not read it begins none either
        return None if found is None or found.state.over else found

    def refuse(self) -> None:
        """Raise UsageError where there is one."""
        if found := self._kept():
            state = found.state
            raise UsageError(
                f"a rollout of {self._service} is under way and owns its split: {state.version} at "
                f"{plain(state.step.share)} %, begun by {state.who}. Nothing was applied. To end it: weir abort "
                f"{self._service}; to go on with it: weir rollout {self._service}"
            )

    def end(self, command: str) -> State | None:
        """End it, where there is one: what it has come to."""
        found = self._kept()
        for left in reversed(range(_TRIES)) if found else ():
            # Whoever goes on with it writes down what it sees, now and then.
            found = record.read(self._kubectl, self._service)
            if found is None or found.state.over:
                break
            try:
                return record.write(self._kubectl, replace(found.state, phase="aborted", why=command), found).state
            except record.AnotherWroteError:
                if not left:
                    raise
        return None
