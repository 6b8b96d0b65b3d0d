"""Strategies for configs with one mistake: a valid config, one thing in it broken, and the place where that must be
said.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_origin

from hypothesis import strategies as st

from tests.unit.model.config_places import Place, fields, is_part, places
from tests.unit.model.refused_values import BAD_VALUES, CLASHES, EMPTY
from tests.unit.model.strategies import configs
from weir.model import StackConfig
from weir.model.config.base import Part
from weir.model.config.environment import Variable
from weir.model.values.problems import Path


@dataclass(frozen=True)
class Mistake:
    """Something to change in a config: the entries of what stands at `path` (None removes one), and where that must be
    said.

    `kind` and `about` say what mistake it is, wherever it is made.
    """

    kind: str
    about: str
    path: Path
    changes: Mapping[Any, Any]
    said_at: Path

    def made(self, config: dict[str, Any]) -> dict[str, Any]:
        """The config with the mistake in it."""
        broken = copy.deepcopy(config)
        place: Any = broken
        for key in self.path:
            place = place[key]
        for key, value in self.changes.items():
            if value is None:
                place.pop(key, None)
            else:
                place[key] = copy.deepcopy(value)
        return broken

    def is_said_by(self, path: Path) -> bool:
        """Whether a problem at this path speaks of it: at the very place, further in, or one step out."""
        shared = min(len(path), len(self.said_at))
        return path[:shared] == self.said_at[:shared] and len(path) >= len(self.said_at) - 1


def bad_values(annotation: Any) -> list[tuple[str, Any]]:
    """What a value of this kind must not be, each with a name."""
    if get_origin(annotation) is Literal:
        return [(f"{annotation} {value}", value) for value in ("NOPE", 5)]
    return [
        (f"{number} {value!r}", value)
        for number, (kind, bad) in enumerate(BAD_VALUES)
        if kind == annotation
        for value in bad
    ]


def mistakes(config: dict[str, Any]) -> Iterator[Mistake]:
    """Every mistake that can be made in a config."""
    yield from _in_part((), StackConfig)
    for place in places(config):
        inside, last = place.path[:-1], place.path[-1]
        if place.key:
            entry = {} if place.holder[last] is None else place.holder[last]
            for name, key in bad_values(place.annotation):
                if isinstance(key, str):
                    yield Mistake("key", name, inside, {last: None, key: entry}, (*inside, key))
            continue
        for value in _wrong_types(place):
            yield Mistake("type", f"{last} {value!r}", inside, {last: value}, place.path)
        for name, value in bad_values(place.annotation):
            # At the top an empty text counts as left out, as the defaults in Pulumi.yaml need it.
            if value != "" or inside:
                yield Mistake("value", name, inside, {last: value}, place.path)
        if is_part(place.annotation) and isinstance(place.value, dict):
            yield from _in_part(place.path, place.annotation)


def clash_name(part: type[Part], number: int) -> str:
    return f"{part.__name__} {number}"


def _in_part(path: Path, part: type[Part]) -> Iterator[Mistake]:
    yield Mistake("unknown key", part.__name__, path, {"nobodyKnows": 1}, (*path, "nobodyKnows"))
    for name, field in part.model_fields.items():
        key = field.alias or name
        if field.is_required():
            yield Mistake("missing", f"{part.__name__}.{key}", path, {key: None}, (*path, key))
    for number, clash in enumerate(CLASHES.get(part, [])):
        yield Mistake("clash", clash_name(part, number), path, clash, path)
    for owner, key in EMPTY:
        if owner is part:
            nothing: Any = [] if get_origin(fields(part)[key]) is tuple else {}
            yield Mistake("empty", f"{part.__name__}.{key}", path, {key: nothing}, (*path, key))


def _wrong_types(place: Place) -> list[Any]:
    if place.annotation is Variable:
        return [1.5, []]  # a text alone is its value
    if is_part(place.annotation) or get_origin(place.annotation) is Mapping:
        return [5, "text", [], True]
    if get_origin(place.annotation) is tuple:
        return [5, "text", {"a": 1}]
    return [{"no": 1}]


@st.composite
def broken_configs(draw: st.DrawFn) -> tuple[dict[str, Any], Mistake]:
    """A config with one mistake, and the mistake. Every kind is as likely, wherever in the config it is made."""
    config = draw(configs(most=2))
    kinds: defaultdict[str, list[Mistake]] = defaultdict(list)
    for mistake in mistakes(config):
        kinds[mistake.kind].append(mistake)
    mistake = draw(st.sampled_from(kinds[draw(st.sampled_from(sorted(kinds)))]))
    return mistake.made(config), mistake
