"""A rollout that is under way owns the split of its service: what another release does about it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from weir.cli.recovery import say
from weir.cluster.errors import ClusterError, DeniedError
from weir.cluster.kubectl import Kubectl
from weir.errors import UsageError
from weir.model.values.numbers import plain
from weir.rollout import record
from weir.rollout.state import State


class UnderWay:
    """The rollouts of some services, those that are not over. They are asked about while the release is planned."""

    def __init__(self, kubectl: Kubectl, services: Collection[str], *, ends: bool) -> None:
        """`ends`: the release may end them; one whose state cannot be read then counts as none."""
        self._kubectl, self._ends = kubectl, ends
        pool = ThreadPoolExecutor(1)
        self._asked = pool.submit(record.read_all, kubectl, services, readable=ends)
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
        """End those there are, where the release may: what each has come to."""
        found = self._kept() if self._ends else {}
        return [each.state for each in record.abort(self._kubectl, found, command).values()] if found else []


def say_ended(ended: Collection[State], told: Callable[[State], None]) -> None:
    """That these are over, once their versions get no requests any more."""
    if ended:
        versions = ", ".join(f"{each.version} of {each.service}" for each in ended)
        say(f"the rollout is over: {versions} {'is' if len(ended) == 1 else 'are'} taken back")
        for each in ended:
            told(each)


def rolled_out_with(kubectl: Kubectl, service: str) -> dict[str, State | None]:
    """The service, and those that go through the steps of a rollout as one with it; each with its state, where one is
    under way.
    """
    try:
        found = record.together(kubectl, service)
    except (ClusterError, record.UnreadableError):
        return {service: None}  # what is taken back does not wait for it
    if all(each.state.over for each in found.values()):
        return {service: None}
    names = (service, *(name for name in found[service].state.services if name != service))
    return {name: found[name].state if name in found else None for name in names}
