"""A rollout that is under way owns the split of its service: what another release does about it."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from weir.cluster.errors import ClusterError, DeniedError
from weir.cluster.kubectl import Kubectl
from weir.errors import UsageError
from weir.model.values.numbers import plain
from weir.rollout import record
from weir.rollout.state import State


class UnderWay:
    """The rollouts of some services, those that are not over. They are asked about while the release is planned."""

    def __init__(self, kubectl: Kubectl, services: Collection[str], *, readable: bool) -> None:
        """`readable`: those whose state cannot be read count as none."""
        self._kubectl = kubectl
        with ThreadPoolExecutor(1) as pool:
            self._asked = pool.submit(record.read_all, kubectl, services, readable=readable)
            pool.shutdown(wait=False)

    def _kept(self) -> dict[str, record.Kept]:
        try:
            found = self._asked.result()
        except DeniedError:
            return {}  # who may not read it begins none either
        return {service: each for service, each in found.items() if not each.state.over}

    def refuse(self) -> None:
        """Raise UsageError where there is one."""
        for service, found in self._kept().items():
            state = found.state
            raise UsageError(
                f"a rollout of {service} is under way and owns its split: {state.version} at "
                f"{plain(state.step.share)} %, begun by {state.who}. Nothing was applied. To end it: weir abort "
                f"{service}; to go on with it: weir rollout {service}"
            )

    def end(self, command: str) -> list[State]:
        """End those there are: what each has come to."""
        found = self._kept()
        return [each.state for each in record.abort(self._kubectl, found, command).values()] if found else []


def rolled_out_with(kubectl: Kubectl, service: str) -> tuple[str, ...]:
    """The service, and those that go through the steps of a rollout as one with it."""
    try:
        found = record.read(kubectl, service)
    except (ClusterError, record.UnreadableError):
        return (service,)  # what is taken back does not wait for it
    return (service,) if found is None or found.state.over else (service, *(set(found.state.together) - {service}))
