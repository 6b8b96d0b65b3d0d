"""`rollout.keep`: the version that a promotion has replaced goes from the stack file and the cluster, once it was kept
for as long as the config says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import partial

from weir.cli.besides import besides
from weir.cli.context import Context
from weir.cli.recovery import say
from weir.cli.whole_update import BesidesError, Whole, whole_update
from weir.cluster.live import live
from weir.errors import UsageError
from weir.model import ConfigError, Service, mesh
from weir.model.manifests.subsets import used
from weir.rollout import record
from weir.rollout.retiring import seconds_left, when_due
from weir.rollout.state import State, retirement
from weir.stack.edit import StackEdit


def to_retire(context: Context, services: Collection[str]) -> list[record.Kept]:
    """The rollouts of these services, and of those that went through the steps as one with them, of which a version is
    still to be retired; those first that are due first.
    """
    found = record.read_all(context.kubectl, services)
    more = {name for each in found.values() if each.state.retire for name in each.state.together} - found.keys()
    found |= record.read_all(context.kubectl, [name for name in context.config.services if name in more])
    return sorted((each for each in found.values() if each.state.retire), key=lambda each: seconds_left(each.state))


def retire_when_due(context: Context, kept: Iterable[record.Kept], reason: str, *, once: bool = False) -> list[State]:
    """Wait until each is due, and retire its version. Returns what has become of them. `once`: wait for none. Raises
    WeirError.
    """
    states = []
    for each in kept:
        service, old = each.state.service, each.state.stable
        if not once and seconds_left(each.state):
            what = retirement(each.state, datetime.now(UTC))
            say(f"{service}: {what}; Ctrl-C leaves that to: weir rollout {service}")
        state = when_due(context.kubectl, each, partial(_retire, context, reason=reason), once=once)
        if state is None:
            say(f"{service}: another rollout has begun, and {old} is not retired by this one")
        else:
            states.append(state)
    return states


def given_up(before: Iterable[record.Kept]) -> None:
    """Say which versions nobody retires any more, now that another rollout of their services begins."""
    for each in before:
        if each.state.retire is not None:
            say(f"{each.state.service}: {each.state.stable} is not retired any more, since another rollout begins")


def _retire(context: Context, state: State, *, reason: str) -> str | None:
    """What has become of the version; None where the stack file first has to say what was promoted."""
    service, old = state.service, state.stable
    file = StackEdit(context.path)
    context = context.saying(file.text)
    settings = context.service(service)
    objects = mesh(context.config, context.namespace).services[service]
    known_as = objects.versions[old].known_as if old in settings.versions else old
    route = live(context.kubectl).find("VirtualService", service)
    if route is not None and known_as in used(route["spec"]):
        return f"{old} is not retired: it gets requests again"
    if known_as in used(objects.virtual_service["spec"]):
        say(
            f"{service}: {old} is not retired yet: {file.path.name} gives it requests, and the cluster does not. Have "
            f"the file say what was promoted (weir promote {service} {state.version} --no-apply); the next call "
            "retires it"
        )
        return None
    try:
        file.remove_version(service, old)
        context.saying(file.text).config  # noqa: B018 - reading it is checking
    except (UsageError, ConfigError) as error:
        return f"{old} is not retired: {' '.join(str(error).split())}"
    what = f"weir rollout {service} {state.version} ({old} retired)"
    change = Whole(
        context,
        file,
        (service,),
        what,
        yes=True,
        reason=reason,
        tell=say,
        besides=partial(besides, "delete", {service: old}),
    )
    try:
        whole_update(change)
    except BesidesError as error:
        file.write()
        return (
            f"{old} is not retired: an update would bring more than that ({error}). It is out of {file.path.name}; "
            "pulumi up retires it with the rest"
        )
    return f"{old} is retired{_left(settings, old)}"


def _left(settings: Service, version: str) -> str:
    """What is not weir's to delete."""
    foreign = version in settings.versions and settings.workload(version) is None
    return "; what runs it is not weir's, and stays" if foreign else ""
