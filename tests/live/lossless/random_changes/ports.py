"""Kinds of changes: the ports of the Service under load, what is spoken there, and the pods' own."""

from __future__ import annotations

from random import Random

from tests.live.lossless.lab_stack import server
from tests.live.lossless.random_changes.kinds import REFUSED, Config, backend, kind, put, served, with_pods
from tests.live.lossless.random_changes.pods import environment, image

_OF_A_PORT = ("port", "targetPort", "protocol")


@kind
def port_of_the_pods(random: Random, config: Config) -> None:
    port = random.choice((8080, 8081, 8082))
    for name in with_pods(config):
        backend(config)["versions"][name]["args"] = server(name, port)["args"]
    for place in served(config):
        place["targetPort"] = port


@kind
def protocol(random: Random, config: Config) -> None:
    chosen = random.choice((None, "http2"))
    for place in served(config):
        put(place, "protocol", chosen)


@kind
def protocol_with_other_pods(random: Random, config: Config) -> None:
    protocol(random, config)
    environment(random, config)
    image(random, config)


@kind
def one_port_written_otherwise(random: Random, config: Config) -> None:
    """As the only entry of `ports`, or in the service itself."""
    settings = backend(config)
    if "ports" not in settings:
        settings["ports"] = [{"name": "http", **_taken(settings)}]
    elif len(settings["ports"]) == 1:
        settings |= _taken(settings.pop("ports")[0])


@kind
def further_port(random: Random, config: Config) -> None:
    """Another one that leads to the server, one that passes through, or one of which nobody serves anything."""
    settings = backend(config)
    if "ports" not in settings:
        one_port_written_otherwise(random, config)
    first = {key: value for key, value in settings["ports"][0].items() if key in _OF_A_PORT}
    further = (
        {**first, "name": "more", "port": 8000},
        {"name": "metrics", "port": 9090, "targetPort": 9090, "protocol": "tcp"},
        {"name": "calls", "port": 9000, "targetPort": 9000, "protocol": "grpc"},
    )
    settings["ports"].append(random.choice(further))


@kind
def further_port_goes(random: Random, config: Config) -> None:
    if random.random() < REFUSED and len(backend(config).get("ports", [])) > 1:
        backend(config)["ports"].pop()


@kind
def name_of_the_pods_port(random: Random, config: Config) -> None:
    """That of the first entry which leads to it."""
    if random.random() < REFUSED and "ports" in backend(config):
        served(config)[0]["name"] = "web"


@kind
def port_of_the_service(random: Random, config: Config) -> None:
    if random.random() < REFUSED:
        served(config)[0]["port"] = 81


@kind
def address_of_the_service(random: Random, config: Config) -> None:
    if random.random() < REFUSED:
        backend(config)["kubernetes"] = {"service": {"spec": {"clusterIP": "198.19.200.200"}}}


def _taken(place: dict[str, object]) -> dict[str, object]:
    return {key: place.pop(key) for key in _OF_A_PORT if key in place}
