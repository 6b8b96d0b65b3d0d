"""Kinds of changes: what the pods of versions run, and how many there are; most of them mean new pods."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.live.lossless.lab_stack import FORTIO, SAME_FORTIO
from tests.live.lossless.random_changes.kinds import REFUSED, Config, backend, kind, some, toggle


@kind
def replicas(random: Random, config: Config) -> None:
    toggle(random, _place(random, config), "replicas", 1, 2)


@kind
def no_pods_for_what_gets_nothing(random: Random, config: Config) -> None:
    toggle(random, some(random, config), "replicas", 0)


@kind
def number_of_pods_in_other_hands(random: Random, config: Config) -> None:
    """An autoscaler's, somebody else's, or weir's again; what has no pods then has none until the number is weir's."""
    place = _place(random, config)
    place.pop("autoscaling", None)
    place.pop("replicas", None)
    place |= random.choice(
        (
            {"autoscaling": {"minReplicas": 1, "maxReplicas": 1}},
            {"autoscaling": {"minReplicas": 2, "maxReplicas": 3}},
            {"replicas": "external"},
            {"replicas": 2},
            {},
        )
    )


def _place(random: Random, config: Config) -> dict[str, Any]:
    """The settings of the service, or of a version."""
    return random.choice((backend(config), some(random, config)))


@kind
def environment(random: Random, config: Config) -> None:
    place = _place(random, config)
    pod = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    level = random.choice(("info", "debug"))
    toggle(random, place, "env", {"LOG": level}, {"LOG": "warn", "REGION": "eu"}, {"LOG": "warn", "POD": pod})


@kind
def environment_from_elsewhere(random: Random, config: Config) -> None:
    toggle(random, _place(random, config), "envFrom", [{"configMapRef": {"name": "settings", "optional": True}}])


@kind
def command(random: Random, config: Config) -> None:
    """The image's own, by its name."""
    toggle(random, _place(random, config), "command", ["/usr/bin/fortio"])


@kind
def image(random: Random, config: Config) -> None:
    backend(config)["image"] = random.choice((FORTIO, SAME_FORTIO))


@kind
def image_of_a_version(random: Random, config: Config) -> None:
    toggle(random, some(random, config), "image", FORTIO, SAME_FORTIO)


@kind
def image_taken_away(random: Random, config: Config) -> None:
    if random.random() < REFUSED:
        backend(config).pop("image", None)
        for version in backend(config)["versions"].values():
            version.pop("image", None)


@kind
def partial_deployment(random: Random, config: Config) -> None:
    """Annotations, a longer grace period, a volume, a container beside the server: new pods each time."""
    ends = "trap exit TERM; sleep infinity & wait"
    beside: dict[str, Any] = {"name": "beside", "image": "curlimages/curl:latest", "imagePullPolicy": "IfNotPresent"}
    beside["command"] = ["sh", "-c", ends]
    pods: tuple[Config, ...] = (
        {"metadata": {"annotations": {"example.com/drawn": str(random.randrange(100))}}},
        {"spec": {"terminationGracePeriodSeconds": random.choice((40, 60))}},
        {"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}},
        {"spec": {"containers": [beside]}},
    )
    fields = (*({"template": each} for each in pods), {"minReadySeconds": 2}, {"revisionHistoryLimit": 2})
    toggle(random, _place(random, config), "kubernetes", *({"deployment": {"spec": each}} for each in fields))


@kind
def partial_objects_of_the_service(random: Random, config: Config) -> None:
    """Those of its Service, its account and its budgets."""
    drawn = {"metadata": {"annotations": {"example.com/drawn": str(random.randrange(100))}}}
    toggle(
        random,
        backend(config),
        "kubernetes",
        {"service": drawn},
        {"service": {"spec": {"type": "NodePort"}}},
        {"service": {"spec": {"sessionAffinity": "ClientIP"}}},
        {"serviceAccount": drawn},
        {"podDisruptionBudget": {"spec": {"maxUnavailable": "50%"}}},
    )


@kind
def resources(random: Random, config: Config) -> None:
    toggle(random, some(random, config), "resources", {"requests": {"cpu": "5m"}}, {"limits": {"memory": "128Mi"}})


@kind
def probes(random: Random, config: Config) -> None:
    check = {"tcpSocket": {"port": "http"}, "periodSeconds": random.choice((1, 2, 5))}
    toggle(random, some(random, config), random.choice(("readinessProbe", "livenessProbe", "startupProbe")), check)


@kind
def security(random: Random, config: Config) -> None:
    toggle(random, some(random, config), "securityContext", {"runAsUser": 1000})
