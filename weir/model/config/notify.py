"""Who is told how rollouts go: webhooks, as chat systems have them. None of it becomes part of an object."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import PlainValidator

from weir.model.config.base import Part, key, required
from weir.model.config.environment import SHAPES
from weir.model.values.schema import described
from weir.secret import Secret

Event = Literal["begin", "step", "hold", "abort", "promotion"]

_SCHEMES = ("http", "https")


def webhook(value: Any) -> str | Secret:
    """The address of a webhook, in the clear or not. Who knows the address may write there: no message quotes it."""
    return value if isinstance(value, Secret) else http_url(value)


def http_url(value: Any) -> str:
    """An address in the clear. Raises ValueError."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be an address such as https://hooks.example.com/services/T0, without blanks")
    try:
        parts = urlsplit(value)
        # A port that is none raises where it is asked for.
        sound = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(
            "must be an address that begins with https:// or http:// and a host, such as "
            "https://hooks.example.com/services/T0"
        )
    if parts.username is not None:
        raise ValueError("must have no user and no password before its host; such a receiver has an address of its own")
    return value


Webhook = Annotated[
    str | Secret,
    PlainValidator(webhook),
    described("URL, or a secret", anyOf=[{"type": "string", "pattern": "^https?://"}, SHAPES[1]]),
]


class Notify(Part):
    """A receiver of JSON by POST, such as an incoming webhook of Slack or Mattermost."""

    url: Webhook = required(
        "its address; pulumi config set --secret --path keeps it secret",
        example="https://hooks.example.com/services/T0",
    )
    events: tuple[Event, ...] = key("what it is told of; all when left out", (), example=["hold", "abort", "promotion"])
