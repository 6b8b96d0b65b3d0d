"""Kinds of changes: what stands beside the service under load, and what is said of the stack as a whole."""

from __future__ import annotations

from random import Random

from tests.live.lossless.random_changes.kinds import REFUSED, Config, backend, kind, toggle
from tests.live.lossless.random_changes.scene import service


@kind
def neighbour(random: Random, config: Config) -> None:
    place = config["services"]["orders"]
    toggle(random, place, "env", {"LOG": "info"})
    toggle(random, place, "replicas", 1, 2)


@kind
def third_service(random: Random, config: Config) -> None:
    """It comes, or goes with the paths that it has at gateways."""
    services, hosts = config["services"], config.get("hosts", {}).values()
    rest = [entry["service"] for host in hosts for entry in host["routes"] if entry.get("name") == "rest"]
    if "news" not in services:
        services["news"] = service("v1")
    elif "expose" not in services["news"] and "news" not in rest:
        del services["news"]
        for host in hosts:
            host["routes"] = [entry for entry in host["routes"] if entry["service"] != "news"]


@kind
def client(random: Random, config: Config) -> None:
    toggle(
        random, config, "clients", {"frontend": {"image": "curlimages/curl:latest", "replicas": random.choice((1, 2))}}
    )


@kind
def namespace_let_go_of(random: Random, config: Config) -> None:
    toggle(random, config, "createNamespace", False)


@kind
def propagation(random: Random, config: Config) -> None:
    toggle(random, config, "propagation", {"timeout": "60s"})


@kind
def namespace_renamed(random: Random, config: Config) -> None:
    if random.random() < REFUSED:
        config["namespace"] = "somewhere-else"


@kind
def short_lived(random: Random, config: Config) -> None:
    if random.random() < REFUSED:
        config["ephemeral"] = True


@kind
def selector(random: Random, config: Config) -> None:
    if random.random() < REFUSED:
        backend(config)["selector"] = {"app": "backend", "example.com/track": "new"}


@kind
def service_of_somebody_elses(random: Random, config: Config) -> None:
    if random.random() < REFUSED:
        backend(config)["createService"] = False
