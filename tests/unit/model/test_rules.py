"""Rules between the fields of a config, and all problems at once even where parts of it cannot be read."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from weir.model import (
    AbortExpectation,
    ConfigError,
    DelayExpectation,
    Expectation,
    expectation,
    load,
    outputs,
    traffic,
    weights,
)
from weir.model.config.base import as_written


def service(**keys: Any) -> dict[str, Any]:
    """A service with two versions, changed by the keys."""
    return {"image": "app:1", "versions": {"v1": {}, "v2": {}}, "stable": "v1", **keys}


def config(*, services: Any = None, **keys: Any) -> dict[str, Any]:
    """A config of the service `backend`, or of these services, with further top-level keys."""
    return {"namespace": "demo", "services": {"backend": service()} if services is None else services, **keys}


def backend(**keys: Any) -> dict[str, Any]:
    """A config of one service with these keys."""
    return config(services={"backend": service(**keys)})


def promise(**keys: Any) -> Expectation:
    """What the default route of the service with these keys promises."""
    return expectation(traffic(load(backend(**keys)).services["backend"], "demo").routes[-1])


def lines(given: dict[str, Any]) -> list[str]:
    """What is said of a config that is refused."""
    with pytest.raises(ConfigError) as refused:
        load(given)
    assert refused.value.exit_code == 2
    return str(refused.value).splitlines()


AT = "weir:services.backend"
RULES: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "nothing at all",
        {},
        ["weir:namespace: missing: the namespace weir creates for the services and clients of this stack"],
    ),
    (
        "namespace too long for a suffix",
        config(namespace="n" * 40, ephemeral=True),
        ["weir:namespace: must be at most 39 characters with ephemeral, which adds a suffix, was 40"],
    ),
    ("a scalar for a service", config(services={"backend": 5}), [f"{AT}: must be a mapping, was 5"]),
    ("text for services", config(services="{broken"), ['weir:services: must be a mapping, was "{broken"']),
    ("no versions", backend(versions=None), [f"{AT}.versions: missing: at least one version, such as v1: {{}}"]),
    (
        "no stable",
        backend(stable=None),
        [f"{AT}.stable: missing: the version that gets what the canaries leave (versions: v1, v2)"],
    ),
    ("unknown stable", backend(stable="v9"), [f'{AT}.stable: no such version "v9" (versions: v1, v2)']),
    (
        "stable as canary",
        backend(canary={"v1": 10}),
        [
            (
                f"{AT}.canary.v1: is the stable version, which gets what the canaries leave; remove it here, or make "
                "another version stable"
            )
        ],
    ),
    (
        "over 100",
        backend(versions={"v1": {}, "v2": {}, "v3": {}}, canary={"v2": 60, "v3": 40.5}),
        [f"{AT}.canary: must add up to at most 100, was 100.5 (v2 60, v3 40.5); lower one of them"],
    ),
    (
        "an image for some",
        backend(image=None, versions={"v1": {"image": "app:1"}, "v2": {}}),
        [
            (
                f"{AT}.versions.v2.image: missing: v1 of this service has an image, so this version needs one too (or "
                "none at all: routing only)"
            )
        ],
    ),
    (
        "names that meet",
        config(
            services={"a": service(versions={"b-c": {}}, stable="b-c"), "a-b": service(versions={"c": {}}, stable="c")}
        ),
        ['weir:services.a-b.versions.c: the name "a-b-c" is taken by version b-c of service a; rename one of the two'],
    ),
    (
        "client named as a service",
        config(clients={"backend": {"image": "curl"}}),
        ['weir:clients.backend: the name "backend" is taken by service backend; rename one of the two'],
    ),
    (
        "the default account",
        config(clients={"default": {"image": "curl"}}),
        [
            (
                'weir:clients.default: the name "default" belongs to the account Kubernetes puts into every namespace; '
                "choose another name"
            )
        ],
    ),
    (
        "service and version too long together",
        config(services={"s" * 40: service(versions={"v" * 30: {}}, stable="v" * 30)}),
        [
            f"weir:services.{'s' * 40}.versions.{'v' * 30}: must be at most 63 characters together with the name of "
            f"its service ({'s' * 40}), was 71"
        ],
    ),
    (
        "an empty fault",
        backend(fault={}),
        [f"{AT}.fault: must have a delay or an abort; remove the key to inject no fault"],
    ),
    (
        "retries off and configured",
        backend(retries={"attempts": 0, "retryOn": "5xx"}),
        [f"{AT}.retries: attempts is 0, which switches retries off; remove retryOn, or raise attempts"],
    ),
    (
        "a required key",
        backend(fault={"abort": {"httpStatus": 503}}),
        [f"{AT}.fault.abort.percentage: missing: the share of requests to abort, 0 to 100 (for example 10)"],
    ),
    (
        "one status of two kinds",
        backend(fault={"abort": {"percentage": 5}}),
        [f"{AT}.fault.abort: must have exactly one of httpStatus, grpcStatus, has none; add one"],
    ),
    (
        "a key of Python's spelling",
        backend(target_port=80),
        [f"{AT}.target_port: unknown key, did you mean targetPort?"],
    ),
    (
        "a key like no other",
        backend(versions={"v1": {"xyz": 1}}),
        [
            f"{AT}.versions.v1.xyz: unknown key (known keys: image, command, args, env, envFrom, resources, readinessProbe, "
            "livenessProbe, startupProbe, securityContext, replicas, autoscaling, host, port, external, trafficPolicy, labels, kubernetes, workload, headers)"
        ],
    ),
    ("a key with a dot", backend(canary={"v1.2": 5}), [f'{AT}.canary["v1.2"]: no such version (versions: v1, v2)']),
    ("text for a list", backend(args="-x"), [f'{AT}.args: must be a list such as [-text=Hello], was "-x"']),
    ("an item of a list", backend(args=["-x", None]), [f"{AT}.args[1]: must be text, was empty"]),
]


@pytest.mark.parametrize(
    ("given", "said"), [(given, said) for _, given, said in RULES], ids=[name for name, _, _ in RULES]
)
def test_each_rule_speaks_once(given: dict[str, Any], said: list[str]) -> None:
    """One mistake against a rule is one line, and nothing else is blamed for it."""
    assert lines(given) == said


def test_rules_speak_although_values_beside_them_are_refused() -> None:
    """What cannot be read does not hide what is wrong elsewhere, nor does its absence count; lines are in the order of
    the config.
    """
    given = config(
        services={
            "backend": {
                "imag": "x",
                "image": "Not A Ref!!",
                "versions": {"v1": {"image": "app:1"}, "v2": {"replicas": -1}},
                "stable": 5,
                "canary": {"v2": "many", "v3": 5},
                "fault": {"abort": {"percentage": 500}, "delay": {}},
            },
        },
        clients={"web": {"replicas": "x"}, "backend-v1": {"image": "curl"}},
        kubeContex="c",
    )
    assert [line.split(": ")[0] for line in lines(given)] == [
        "weir:services.backend.imag",
        "weir:services.backend.image",
        "weir:services.backend.versions.v2.replicas",
        "weir:services.backend.stable",
        "weir:services.backend.canary.v2",
        "weir:services.backend.canary.v3",
        "weir:services.backend.fault.abort.percentage",
        "weir:services.backend.fault.delay.percentage",
        "weir:services.backend.fault.delay.fixedDelay",
        "weir:clients.web.replicas",
        "weir:clients.web.image",
        "weir:clients.backend-v1",
        "weir:kubeContex",
    ]


def test_a_program_gets_text_from_pulumi() -> None:
    """Pulumi hands objects over as JSON and booleans as text; the config is the same as from YAML."""
    text = '{"backend": {"image": "app:1", "versions": {"v1": {}, "v2": {}}, "stable": "v1", "canary": {"v2": "0.5"}}}'
    given = {"namespace": "demo", "services": text, "ephemeral": "false", "readyTimeout": "90s"}
    assert load(given) == load(
        {**config(), "services": {"backend": service(canary={"v2": 0.5})}, "readyTimeout": "90s"}
    )


def test_a_version_overrides_what_it_names_and_takes_the_rest() -> None:
    """args and replicas replace the service's, env is taken over name by name, also where the version's value is
    empty.
    """
    settings = load(
        backend(
            replicas=2,
            args=["-a"],
            env={"A": 1, "B": "b"},
            versions={"v1": {"args": [], "env": {"B": ""}}, "v2": {"image": "app:2", "replicas": 0}},
        )
    ).services["backend"]
    first, second = settings.workload("v1"), settings.workload("v2")
    assert first is not None
    assert second is not None
    env = [{name: variable.value for name, variable in workload.env.items()} for workload in (first, second)]
    assert (first.image, first.replicas, first.args, env[0]) == ("app:1", 2, (), {"A": "1", "B": ""})
    assert (second.image, second.replicas, second.args, env[1]) == ("app:2", 0, ("-a",), {"A": "1", "B": "b"})


def test_a_version_takes_over_what_its_service_takes_from_objects() -> None:
    """envFrom is taken over as args are: a version's own list stands in its place, also where it is empty."""
    shared = [{"secretRef": {"name": "a"}}]
    own = [{"configMapRef": {"name": "b"}, "prefix": "B_"}]
    settings = load(
        backend(envFrom=shared, versions={"v1": {}, "v2": {"envFrom": own}, "v3": {"envFrom": []}})
    ).services["backend"]
    workloads = [settings.workload(version) for version in ("v1", "v2", "v3")]
    assert [[as_written(source) for source in workload.env_from] for workload in workloads if workload] == [
        shared,
        own,
        [],
    ]


@pytest.mark.parametrize(
    ("canary", "expected"),
    [
        ({}, {"v1": 100}),
        ({"v2": 0}, {"v1": 100, "v2": 0}),
        ({"v2": 100}, {"v1": 0, "v2": 100}),
        ({"v2": 20.0}, {"v1": 80, "v2": 20}),
        ({"v2": 0.5}, {"v1": 199, "v2": 1}),
        ({"v2": 0.1, "v3": 0.2}, {"v1": 997, "v2": 1, "v3": 2}),
        ({"v2": 0.0001}, {"v1": 999999, "v2": 1}),
        ({"v2": 50, "v3": 50}, {"v1": 0, "v2": 50, "v3": 50}),
    ],
)
def test_weights_are_the_smallest_whole_numbers(canary: dict[str, float], expected: dict[str, int]) -> None:
    """Whole percentages stay as written; finer ones are scaled just so far; versions nobody named are not in the
    route.
    """
    settings = load(backend(versions={"v1": {}, "v2": {}, "v3": {}}, canary=canary)).services["backend"]
    assert list(weights(*settings.split(settings)).items()) == list(expected.items())


def test_a_version_without_pods_may_get_nothing() -> None:
    """A canary prepared at 0 %, a stable version that was left at 0 %, and what weir does not run itself: none needs
    pods of weir's.
    """
    load(backend(versions={"v1": {}, "v2": {"replicas": 0}}, canary={"v2": 0}))
    load(backend(versions={"v1": {"replicas": 0}, "v2": {}}, canary={"v2": 100}))
    load(backend(image=None, replicas=0, canary={"v2": 10}))


def test_the_expectation_leaves_out_what_cannot_be_seen() -> None:
    """No version with 0 %, and no fault with 0 %; fractions are exact."""
    fault = {"delay": {"percentage": 0, "fixedDelay": "3s"}, "abort": {"percentage": 0.1, "httpStatus": 503}}
    promised = promise(canary={"v2": 0}, fault=fault)
    assert promised.shares == {"v1": Fraction(1)}
    assert promised.delay is None
    assert promised.abort == AbortExpectation(Fraction(1, 1000), 503)
    fault = {"delay": {"percentage": 12.5, "fixedDelay": "1m0.5s"}, "abort": {"percentage": 0, "httpStatus": 503}}
    promised = promise(canary={"v2": 100}, fault=fault)
    assert promised.shares == {"v2": Fraction(1)}
    assert promised.delay == DelayExpectation(Fraction(1, 8), 60.5)
    assert promised.abort is None


def test_outputs_have_their_contracted_shape() -> None:
    """Others read host, stable, canary, weights, faults and versions of each service from the stack."""
    fault = {"delay": {"percentage": 50, "fixedDelay": "3s"}, "abort": {"percentage": 0.5, "httpStatus": 503}}
    given = backend(canary={"v2": 20}, fault=fault, versions={"v1": {}, "v2": {"replicas": 3}})
    given["services"]["foreign"] = {"versions": {"a": {}}, "stable": "a"}
    assert outputs(load(given), "demo-otter") == {
        "namespace": "demo-otter",
        "services": {
            "backend": {
                "host": "backend.demo-otter.svc.cluster.local",
                "stable": "v1",
                "canary": {"v2": 20},
                "weights": {"v1": 80, "v2": 20},
                "faults": fault,
                "versions": {"v1": {"image": "app:1", "replicas": 1}, "v2": {"image": "app:1", "replicas": 3}},
            },
            "foreign": {
                "host": "foreign.demo-otter.svc.cluster.local",
                "stable": "a",
                "canary": {},
                "weights": {"a": 100},
                "faults": {},
                "versions": {"a": {}},
            },
        },
    }
