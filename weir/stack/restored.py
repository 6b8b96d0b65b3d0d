"""A service as it was, for the stack file as it is: what is no config of it stays, and so does every secret.

Secrets stand in variables alone. Which of its variables were some an earlier config does not tell (`weir.secret`), and
a secret that was changed since was changed for a reason: a password that has expired is no use to anybody.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from weir.model.validation.load import inside
from weir.secret import Secret, opaque

ABSENT = object()
"""In the place of a value: the field is not there."""

_OF_NOW = "drill"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a service is to be.

    `tree`: as in a stack file, with a Secret for each value that has to be encrypted first.
    `kept`: the variables that stay the secret which the file has now, as `TOKEN` or `TOKEN of v2`.
    `hidden`: those that are a secret from now on, since they may have been one then.
    """

    tree: dict[str, Any]
    kept: tuple[str, ...]
    hidden: tuple[str, ...]


def restored(then: Mapping[str, Any], now: Mapping[str, Any], *, hiding: bool) -> Restored:
    """The service as it was `then`, decrypted, where the stack file has it as `now`. `hiding`: some of its texts were
    secrets. Its drill is no config: the one of now stays.
    """
    made = copy.deepcopy(dict(then))
    made.pop(_OF_NOW, None)
    if _OF_NOW in now:
        made[_OF_NOW] = now[_OF_NOW]
    kept: list[str] = []
    hidden: list[str] = []
    for of, holder, beside in _holders(made, now):
        env = inside(holder, "env")
        for name, value in env.items() if isinstance(env, dict) else ():
            there = inside(inside(beside, "env"), name)
            if _is_secret(there):
                env[name] = there
                kept.append(f"{name}{of}")
            elif hiding and (text := _text(value)) is not None and value != there:
                env[name] = Secret(text)
                hidden.append(f"{name}{of}")
    return Restored(made, tuple(kept), tuple(hidden))


def _holders(made: dict[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    yield "", made, now
    versions = made.get("versions")
    for name, version in versions.items() if isinstance(versions, dict) else ():
        yield f" of {name}", version, inside(inside(now, "versions"), name)


def _text(value: Any) -> str | None:
    """The text that a variable has; what is no text was never encrypted."""
    text = inside(value, "value") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _is_secret(value: Any) -> bool:
    return isinstance(opaque(inside(value, "value") if isinstance(value, dict) and "value" in value else value), Secret)


def steps(now: Any, then: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The fewest fields to set, by their paths, to make one mapping of a stack file the other; ABSENT is to go. The
    order of keys says nothing: a history does not keep it.
    """
    for key in {**now, **then}:
        here = (*path, key)
        if key not in then:
            yield here, ABSENT
        elif key not in now:
            yield here, then[key]
        elif isinstance(now[key], dict) and isinstance(then[key], dict) and not _whole(now[key], then[key]):
            yield from steps(now[key], then[key], here)
        elif not same(now[key], then[key]):
            yield here, then[key]


def same(one: Any, other: Any) -> bool:
    """Whether two values of stack files say the same: 1 is 1.0, and the order of keys says nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _whole(*values: dict[str, Any]) -> bool:
    """Whether one of them is a secret, which is no mapping but a value."""
    return any(isinstance(opaque(value), Secret) for value in values)
