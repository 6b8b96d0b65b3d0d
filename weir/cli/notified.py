"""Whom the config has told of a rollout (`weir:notify`), and what becomes of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from weir.cli.context import Context
from weir.cli.recovery import say
from weir.engine.secrets import revealed
from weir.model.config.notify import http_url
from weir.rollout.message import EVENTS, message
from weir.rollout.notify import Notifier, Receiver
from weir.rollout.state import State
from weir.secret import Secret


@contextmanager
def notified(context: Context) -> Iterator[Callable[[State], None]]:
    """Gives what to tell of a rollout's begin, steps, holds and end; it returns at once. At the end of the block who
    was not told, and why, is said.
    """
    notifier = Notifier(_receivers(context))

    def told(state: State) -> None:
        notifier.tell(EVENTS[state.phase], message(state, context.stack, context.namespace, datetime.now(UTC)))

    try:
        yield told
    finally:
        for line in notifier.end():
            say(f"warning: {line}")


def _receivers(context: Context) -> list[Receiver]:
    return [
        Receiver(path, partial(_url, context, f"{path}.url", each.url), each.events)
        for place, each in enumerate(context.config.notify)
        for path in [f"weir:notify[{place}]"]
    ]


def _url(context: Context, path: str, url: str | Secret) -> str:
    """The address in the clear. Raises EngineError where Pulumi cannot decrypt it, ValueError where it is none."""
    return http_url(revealed(context.engine, path)) if isinstance(url, Secret) else url
