"""`weir rollout --once`: what is due of the rollouts that are under way, for a schedule."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from weir.cli.context import Context
from weir.cli.recovery import say
from weir.cluster.rollouts import records
from weir.errors import UsageError, VerdictError, WeirError
from weir.rollout import record
from weir.rollout.retiring import seconds_left
from weir.rollout.state import retirement


class AnotherGoesOnError(UsageError):
    """Another process is at the rollout."""


def go_on_where_due(context: Context, services: Collection[str], go_on: Callable[[str], None]) -> None:
    """Go on with the rollouts of the services, or with that of each service of the stack that has one under way, or of
    which something is to be cleared away: its control, or the version that was stable, once it is due to be retired.

    One after the other: Pulumi's lock refuses two updates of one stack. What one of them fails with keeps no other from
    its turn, and is raised at the end. That nothing is under way, or that another process is at it, is no failure of a
    schedule: it is said.
    """
    due, failed, waits = set[str](), list[WeirError](), False
    for found in records(context.kubectl, services or context.config.services):
        try:
            state = record.kept(found, context.namespace).state
            # Those that go through the steps as one have had their turn with the first of them.
            if not state.over and state.service not in due:
                due |= {*state.services}
                go_on(state.service)
            elif state.over and (state.control or (state.retire is not None and not seconds_left(state))):
                waits = True
                go_on(state.service)
            elif state.retire is not None:
                waits = True
                say(f"{state.service}: {retirement(state, datetime.now(UTC))}")
        except (AnotherGoesOnError, record.AnotherWroteError) as error:
            say(str(error))
        except WeirError as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        # What could not be done comes before what was decided, for who reads the exit code alone.
        decided = all(isinstance(error, VerdictError) for error in failed)
        raise (VerdictError if decided else WeirError)("\n".join(map(str, failed)))
    if not due and not waits:
        of = f"of {' and '.join(services)} " if services else ""
        say(f"nothing is due: no rollout {of}is under way in stack {context.stack}")
