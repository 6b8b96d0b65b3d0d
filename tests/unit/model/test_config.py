"""What the config refuses, word for word, and what it makes of what it takes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from weir.model import ConfigError, load

SOUND: dict[str, Any] = {
    "namespace": "demo",
    "services": {
        "backend": {
            "image": "hashicorp/http-echo:1.0.0",
            "port": 80,
            "targetPort": 5678,
            "versions": {"v1": {"args": ["-text=one"]}, "v2": None},
            "stable": "v1",
            "canary": {"v2": 20},
            "retries": {"attempts": 3, "perTryTimeout": "2s", "retryOn": ["gateway-error", "connect-failure"]},
        }
    },
    "clients": {"frontend": {"image": "curlimages/curl:latest"}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The sound config with one value put in at a dotted path."""
    config: dict[str, Any] = deepcopy(SOUND)
    *parents, last = path.split(".")
    place = config
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    return config


BACKEND = "services.backend"
REFUSED = [
    (
        "namespace",
        "Demo_",
        (
            "weir:namespace: must be lower-case letters, digits and '-', starting and ending with a letter or digit, "
            "was "
            '"Demo_"'
        ),
    ),
    ("servces", {}, "weir:servces: unknown key, did you mean services?"),
    (f"{BACKEND}.canry", {"v2": 3}, "weir:services.backend.canry: unknown key, did you mean canary?"),
    (f"{BACKEND}.canary.v3", 5, "weir:services.backend.canary.v3: no such version (versions: v1, v2)"),
    (f"{BACKEND}.port", 80000, "weir:services.backend.port: must be a whole number from 1 to 65535, was 80000"),
    (
        f"{BACKEND}.retries.attempts",
        -1,
        "weir:services.backend.retries.attempts: must be a whole number of at least 0, was -1",
    ),
    (
        f"{BACKEND}.retries.perTryTimeout",
        "0.1ms",
        'weir:services.backend.retries.perTryTimeout: must be at least 1ms, was "0.1ms"',
    ),
    (
        f"{BACKEND}.image",
        "not valid!!",
        (
            "weir:services.backend.image: must be an image reference such as registry.example.com/team/app:1.0, was "
            '"not '
            'valid!!"'
        ),
    ),
    (
        f"{BACKEND}.fault",
        {"delay": {"percentage": 50, "fixedDelay": 3}},
        "weir:services.backend.fault.delay.fixedDelay: must be a duration such as 3s or 500ms, was 3",
    ),
]


@pytest.mark.parametrize(("path", "value", "line"), REFUSED, ids=[path for path, _, _ in REFUSED])
def test_one_mistake_is_one_line(path: str, value: Any, line: str) -> None:
    """Each mistake is said in one line: where, what is wrong, what was given, what to do."""
    with pytest.raises(ConfigError) as refused:
        load(changed(path, value))
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        (f"{BACKEND}.canary.v2", 101, "weir:services.backend.canary"),
        (f"{BACKEND}.canary.v2", -1, "weir:services.backend.canary.v2"),
        (f"{BACKEND}.canary", {"v1": 10}, "weir:services.backend.canary.v1"),
        (f"{BACKEND}.stable", "v9", "weir:services.backend.stable"),
        (f"{BACKEND}.retries.retryOn", ["gateway-eror"], 'no such condition "gateway-eror"'),
        (
            f"{BACKEND}.fault",
            {"abort": {"percentage": 10, "httpStatus": 99}},
            "weir:services.backend.fault.abort.httpStatus",
        ),
        (
            f"{BACKEND}.fault",
            {"delay": {"percentage": 150, "fixedDelay": "3s"}},
            "weir:services.backend.fault.delay.percentage",
        ),
        (f"{BACKEND}.versions", {}, "weir:services.backend.versions"),
        (f"{BACKEND}.replicas", -2, "weir:services.backend.replicas"),
        ("readyTimeout", "soon", "weir:readyTimeout"),
        ("clients.frontend.image", None, "weir:clients.frontend.image"),
        ("ephemeral", "maybe", "weir:ephemeral"),
    ],
)
def test_a_mistake_names_its_place(path: str, value: Any, part: str) -> None:
    """Every refusal names the key it is about, and none speaks the validator's own language."""
    with pytest.raises(ConfigError) as refused:
        load(changed(path, value))
    assert part in str(refused.value)
    assert "pydantic" not in str(refused.value)


def test_all_mistakes_are_said_at_once() -> None:
    """Three mistakes are three lines, so that one run of check is enough."""
    config = changed(f"{BACKEND}.port", 0)
    config["services"]["backend"]["canary"] = {"v3": 5}
    config["servces"] = {}
    with pytest.raises(ConfigError) as refused:
        load(config)
    assert len(refused.value.problems) == 3
    assert len(str(refused.value).splitlines()) == 3


def test_the_tutorials_config_is_typed() -> None:
    """The sound config becomes typed values, with the defaults of what it leaves out."""
    config = load(SOUND)
    service = config.services["backend"]
    assert (config.ephemeral, config.ready_timeout.seconds) == (False, 120.0)
    assert (service.main_port.container_port, service.scaling("v1"), service.stable) == (5678, 1, "v1")
    workload = service.workload("v1")
    assert workload is not None
    assert list(workload.args) == ["-text=one"]
    assert service.retries is not None
    assert service.retries.retry_on == ("gateway-error", "connect-failure")


def test_a_service_without_images_is_routing_only() -> None:
    """Without any image weir manages the rules alone, and leaves Service and Deployments to who made them."""
    config = changed(BACKEND, {"port": 80, "versions": {"v1": {}, "v2": {}}, "stable": "v1"})
    assert load(config).services["backend"].routing_only
