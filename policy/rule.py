"""What a rule is: a name, what it is about, and a pure function from properties and settings to messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from policy.known import Props
from weir.model.validation.messages import unknown_key

Settings = Mapping[str, Any]
"""A rule's config, every key there: what was given, else the default."""

GATEWAY = "networking.istio.io/Gateway"
VIRTUAL_SERVICE = "networking.istio.io/VirtualService"
ANY = "*"
"""Every kind of object."""

_TOKEN = re.compile(r"kubernetes:([^:/]+)(?:/[^:]+)?:(\w+?)(?:Patch)?")


def kind_of(token: str) -> str:
    """Group and kind of a Pulumi type, whichever version of the API it names:
    `kubernetes:networking.istio.io/v1beta1:VirtualService`.

    A patch is held to what the whole object is. Empty for what is no object of Kubernetes.
    """
    found = _TOKEN.fullmatch(token)
    return f"{found[1]}/{found[2]}" if found else ""


EVERY_STACK = ("*",)
PRODUCTION = ("prod",)


@dataclass(frozen=True, slots=True)
class Option:
    """A key of a rule's config: its default, its meaning, and its JSON Schema, which the engine holds the given value
    against.
    """

    default: Any
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """An object of the stack as it will be, or has become, with its group and kind."""

    kind: str
    props: Props


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """What both sorts of rules have. `stacks` is the default of the option of this name: in which stacks the rule
    holds.
    """

    name: str
    description: str
    stacks: tuple[str, ...]
    options: Mapping[str, Option] = field(default_factory=dict)
    advisory: bool = False

    def all_options(self) -> Mapping[str, Option]:
        """The rule's options, those it shares with all others included."""
        stacks = Option(
            list(self.stacks),
            "the stacks in which it holds: names, or patterns such as prod-*",
            {"type": "array", "items": {"type": "string"}},
        )
        return {"stacks": stacks, **self.options}

    def misspelt(self, given: Mapping[str, Any]) -> list[str]:
        """A message for each key of the given config that the rule does not have; the engine lets them pass, and the
        default would hold unseen.
        """
        options = self.all_options()
        return [
            f"config of {self.name}: {name}: {unknown_key(name, tuple(options))}"
            for name in given
            if name not in options
        ]

    def settings(self, given: Mapping[str, Any]) -> Settings:
        """The config given, with the default of every key that it leaves out."""
        return {name: given.get(name, option.default) for name, option in self.all_options().items()}

    def holds_in(self, stack: str, settings: Settings) -> bool:
        """Whether the rule is about the stack of this name."""
        return any(fnmatchcase(stack, pattern) for pattern in settings["stacks"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(_Common):
    """A rule about single objects of the `kinds`, or of ANY; `judge` has a message for each thing that is wrong with
    one.

    It gets the properties, the settings, and the name of the stack without organization and project.
    """

    kinds: tuple[str, ...]
    judge: Callable[[Props, Settings, str], Sequence[str]]

    def is_about(self, token: str) -> bool:
        """Whether objects of this Pulumi type are judged."""
        kind = kind_of(token)
        return kind in self.kinds or (bool(kind) and ANY in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRule(_Common):
    """A rule about all resources of a stack together. In a preview it is asked before anything is touched, in an
    update after it.
    """

    judge: Callable[[Sequence[Resource], Settings, str], Sequence[str]]
