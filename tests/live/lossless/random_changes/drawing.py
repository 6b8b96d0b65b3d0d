"""Draws the steps of a soak from a seed."""

from __future__ import annotations

from collections.abc import Generator
from copy import deepcopy
from random import Random

# Importing them is what makes their kinds known.
from tests.live.lossless.random_changes import gateways, pods, ports, routes, versions, whole_stack  # noqa: F401
from tests.live.lossless.random_changes.kinds import KINDS, Config
from tests.live.lossless.random_changes.scene import start
from weir.model import ConfigError, load


def steps(seed: int, namespace: str) -> Generator[tuple[tuple[str, ...], Config], Config | None, None]:
    """The kinds of each step and the config after it, for a stack of this namespace. Send the config that stands, where
    a step was refused, and it goes on from there.
    """
    random, config = Random(seed), start()
    while True:
        names, after = _step(random, config, namespace)
        standing = yield names, after
        config = deepcopy(after if standing is None else standing)


def sound(config: Config, namespace: str) -> bool:
    """Whether weir takes a config."""
    try:
        load({"namespace": namespace, **config})
    except ConfigError:
        return False
    return True


def _step(random: Random, before: Config, namespace: str) -> tuple[tuple[str, ...], Config]:
    while True:
        after, names = deepcopy(before), []
        for name in random.sample(sorted(KINDS), random.choice((1, 1, 2, 3, 5))):
            changed = deepcopy(after)
            KINDS[name](random, changed)
            if changed != after and sound(changed, namespace):
                after = changed
                names.append(name)
        if names:
            return tuple(names), after
