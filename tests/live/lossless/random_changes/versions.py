"""Kinds of changes: which versions there are, whose pods they are, and which share each gets."""

from __future__ import annotations

from random import Random

from tests.live.lossless.lab_stack import server
from tests.live.lossless.random_changes.kinds import REFUSED, Config, backend, kind, served, some, toggle, with_pods
from tests.live.lossless.random_changes.scene import SOMEBODY_ELSES

NAMES = ("v1", "v2", "v3", "v4", "v5")
_SHARES = (0, 0.5, 5, 20, 33.25, 50)


@kind
def version_added(random: Random, config: Config) -> None:
    name = random.choice(NAMES)
    backend(config)["versions"].setdefault(name, server(name, _port(config)))


@kind
def version_added_with_labels_of_its_own(random: Random, config: Config) -> None:
    name = random.choice(NAMES)
    own = {**server(name, _port(config)), "labels": {"version": f"{name}.0", "track": "new"}}
    backend(config)["versions"].setdefault(name, own)


@kind
def labels_of_a_version(random: Random, config: Config) -> None:
    if random.random() < REFUSED:
        toggle(random, some(random, config), "labels", {"version": "other"})


@kind
def version_added_with_a_share(random: Random, config: Config) -> None:
    version_added(random, config)
    canary(random, config)


@kind
def version_removed(random: Random, config: Config) -> None:
    _remove(config, random.choice(sorted(backend(config)["versions"])))


@kind
def version_of_pods_of_somebody_elses(random: Random, config: Config) -> None:
    _comes_or_goes(random, config, "own")


@kind
def version_that_is_another_service(random: Random, config: Config) -> None:
    _comes_or_goes(random, config, "other")


@kind
def version_outside_the_mesh(random: Random, config: Config) -> None:
    _comes_or_goes(random, config, "legacy")


@kind
def pods_of_weirs_in_the_place_of_somebody_elses(random: Random, config: Config) -> None:
    versions = backend(config)["versions"]
    if "workload" in versions.get("own", {}) and random.random() < 0.5:
        versions["own"] = server("own", _port(config))


@kind
def pods_handed_over(random: Random, config: Config) -> None:
    """To who runs those of another version."""
    names = with_pods(config)
    if names and random.random() < REFUSED:
        labels = {"labels": {"version": "own"}}
        backend(config)["versions"][random.choice(names)] = {**SOMEBODY_ELSES["own"], **labels}


@kind
def canary(random: Random, config: Config) -> None:
    settings = backend(config)
    others = sorted(set(settings["versions"]) - {settings["stable"]})
    chosen = random.sample(others, random.randint(0, min(len(others), 2)))
    settings["canary"] = {name: random.choice(_SHARES) for name in chosen}


@kind
def promotion(random: Random, config: Config) -> None:
    settings = backend(config)
    settings["stable"] = random.choice(sorted(settings["versions"]))
    settings["canary"].pop(settings["stable"], None)


@kind
def swap_of_all_versions(random: Random, config: Config) -> None:
    """A new one takes over, on another port, and all others go."""
    settings = backend(config)
    free = sorted(set(NAMES) - set(settings["versions"]))
    if free:
        port = random.choice((8080, 8081, 8082))
        for place in served(config):
            place["targetPort"] = port
        settings |= {
            "versions": {free[0]: server(free[0], port)},
            "stable": free[0],
            "canary": {},
            "routes": [],
            "mirrors": [],
        }


def _port(config: Config) -> int:
    return int(served(config)[0]["targetPort"])


def _comes_or_goes(random: Random, config: Config, name: str) -> None:
    """With a share, or with what it had."""
    settings = backend(config)
    if name in settings["versions"]:
        _remove(config, name)
    else:
        settings["versions"][name] = dict(SOMEBODY_ELSES[name])
        settings["canary"][name] = random.choice(_SHARES)


def _remove(config: Config, name: str) -> None:
    """With what names it; not the stable one."""
    settings = backend(config)
    if name != settings["stable"]:
        del settings["versions"][name]
        settings["canary"].pop(name, None)
        settings["mirrors"] = [mirror for mirror in settings.get("mirrors", []) if mirror["version"] != name]
        settings["routes"] = [route for route in settings.get("routes", []) if route.get("stable") != name]
        for route in settings["routes"]:
            route.get("canary", {}).pop(name, None)
