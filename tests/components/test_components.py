"""What the components add to the model's objects: their order, their waiting, the provider, the outputs."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from tests.components.test_program import DEPLOYMENT, ROUTE, RULE, Recorded, run
from tests.unit.model.test_config import SOUND
from weir.model import load, mesh, outputs

SERVICE = "kubernetes:core/v1:Service"
ACCOUNT = "kubernetes:core/v1:ServiceAccount"
PROVIDER = ("pulumi:providers:kubernetes", "cluster")
ROUTING_ONLY: dict[str, Any] = {
    "namespace": "demo",
    "services": {"foreign": {"versions": {"a": {}, "b": {}}, "stable": "a"}},
}


@pytest.fixture(scope="module")
def program() -> Recorded:
    """The sound config with a cluster and a ready timeout of its own, run once."""
    return run({**SOUND, "readyTimeout": "45s", "kubeContext": "weir-lab", "kubeconfig": ".weir/lab/kubeconfig"})


def test_the_engine_gets_the_models_objects_word_for_word(program: Recorded) -> None:
    """Nothing is lost or renamed on the way: each object's metadata and spec are those that `weir render` prints."""
    kinds = {
        "Namespace": "core/v1",
        "Service": "core/v1",
        "Deployment": "apps/v1",
        "DestinationRule": None,
        "VirtualService": None,
    }
    compared = 0
    for manifest in mesh(load(SOUND), "demo").objects():
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if kind not in kinds:
            continue
        token = f"kubernetes:{kinds[kind] or manifest['apiVersion']}:{kind}"
        given = program.resources[(token, "namespace" if kind == "Namespace" else name)]
        metadata = {key: value for key, value in given["metadata"].items() if key != "annotations"}
        assert metadata == manifest["metadata"], name
        assert given.get("spec") == manifest.get("spec"), name
        compared += 1
    assert compared == 8


PARTS = {
    "service": {"metadata": {"annotations": {"a": "b"}}, "spec": {"type": "LoadBalancer"}},
    "serviceAccount": {"imagePullSecrets": [{"name": "registry"}], "secrets": [{"name": "x"}]},
    "podDisruptionBudget": {"metadata": {"labels": {"team": "shop"}}, "spec": {"maxUnavailable": "50%"}},
    "deployment": {"metadata": {"annotations": {"c": "d"}}, "spec": {"minReadySeconds": 5}},
}


def test_the_engine_gets_all_of_the_merged_objects() -> None:
    """What the config says in Kubernetes' own words is in the objects that Pulumi writes, field by field."""
    backend = {**SOUND["services"]["backend"], "replicas": 2, "kubernetes": PARTS, "selector": {"app": "shop"}}
    config = {**SOUND, "services": {"backend": backend}}
    registered = run(config).resources
    kinds = {
        "Service": "core/v1",
        "ServiceAccount": "core/v1",
        "Deployment": "apps/v1",
        "PodDisruptionBudget": "policy/v1",
    }
    compared = 0
    for manifest in mesh(load(config), "demo").objects():
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if kind not in kinds or name == "frontend":
            continue
        given = registered[(f"kubernetes:{kinds[kind]}:{kind}", name)]
        metadata = {**manifest["metadata"], "annotations": manifest["metadata"].get("annotations", {})}
        assert metadata["annotations"].items() <= given["metadata"]["annotations"].items(), name
        wanted = {**manifest, "metadata": {**metadata, "annotations": given["metadata"]["annotations"]}}
        assert {**given, "apiVersion": manifest["apiVersion"]} == wanted, name
        compared += 1
    assert compared == 6


def test_pods_get_no_token_and_an_identity_each(program: Recorded) -> None:
    """Each service and client has an account of its own, whose pods cannot talk to the Kubernetes API."""
    for name in ("backend", "frontend"):
        assert program.resources[(ACCOUNT, name)]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", ["backend-v1", "backend-v2", "frontend"])
def test_the_ready_timeout_reaches_each_deployment(program: Recorded, name: str) -> None:
    """An update fails after the configured time, and not after the provider's ten minutes."""
    timeouts = program.requests[(DEPLOYMENT, name)].customTimeouts
    assert (timeouts.create, timeouts.update) == ("45s", "45s")


def test_pods_come_after_their_account_and_the_route_after_the_service(program: Recorded) -> None:
    """A pod without its account cannot be created; a route without its Service answers nobody."""
    assert any("ServiceAccount::backend" in urn for urn in program.requests[(DEPLOYMENT, "backend-v1")].dependencies)
    assert any("v1:Service::backend" in urn for urn in program.requests[(ROUTE, "backend")].dependencies)


def test_a_version_depends_on_no_other(program: Recorded) -> None:
    """Versions come and go side by side; only the route waits for all of them."""
    for kind in (DEPLOYMENT, RULE):
        assert not any("backend-v1" in urn for urn in program.requests[(kind, "backend-v2")].dependencies)


def test_the_service_does_not_wait_for_endpoints(program: Recorded) -> None:
    """A service scaled to 0 would otherwise hang the update."""
    assert program.resources[(SERVICE, "backend")]["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"


def test_everything_waits_for_the_namespace(program: Recorded) -> None:
    """Objects are placed by the created namespace's own name, so they come after it and go before it."""
    for key in [
        (DEPLOYMENT, "backend-v1"),
        (RULE, "backend-v2"),
        (ROUTE, "backend"),
        (DEPLOYMENT, "frontend"),
        (ACCOUNT, "backend"),
    ]:
        assert any("core/v1:Namespace::namespace" in urn for urn in program.requests[key].dependencies), key


def test_the_provider_gets_path_and_context_as_written(program: Recorded) -> None:
    """The state holds no credentials and no directory of this machine."""
    assert program.resources[PROVIDER] == {"context": "weir-lab", "kubeconfig": ".weir/lab/kubeconfig"}


def test_without_settings_the_provider_is_left_to_kubectls_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither key is sent where neither is configured: an empty one would hide the user's own kubeconfig."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    recorded = run(SOUND)
    assert recorded.resources[PROVIDER] == {}


def test_a_routing_only_service_has_rules_alone() -> None:
    """weir leaves Service, account and Deployments to who made them, and still makes the route last."""
    recorded = run(ROUTING_ONLY)
    kubernetes = {key for key in recorded.resources if key[0].startswith("kubernetes:")}
    assert kubernetes == {
        ("kubernetes:core/v1:Namespace", "namespace"),
        (RULE, "foreign-a"),
        (RULE, "foreign-b"),
        (ROUTE, "foreign"),
    }
    assert any("DestinationRule::foreign-a" in urn for urn in recorded.requests[(ROUTE, "foreign")].dependencies)


def test_only_an_ephemeral_stack_has_a_pet() -> None:
    """A stack that lives on keeps the name it was given."""
    assert not any("RandomPet" in kind for kind, _ in run(SOUND).resources)
    assert any("RandomPet" in kind for kind, _ in run({**SOUND, "ephemeral": "true"}).resources)


def test_the_stacks_outputs_are_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """`namespace` and `services` are exported, with the real name of the namespace in the hosts."""
    seen: dict[str, Any] = {}

    def keep(name: str, value: Any) -> None:
        value.apply(lambda known: seen.__setitem__(name, known))

    monkeypatch.setattr(pulumi, "export", keep)
    run({**SOUND, "ephemeral": True})
    assert seen == outputs(load(SOUND), "demo-happy-otter")


def test_pods_that_get_nothing_change_only_after_the_route() -> None:
    """A version no route sends requests to may be scaled away in the update that took them from it: its pods come
    after the route.
    """
    given = {**SOUND, "services": {"backend": {**SOUND["services"]["backend"], "canary": {"v2": 0}}}}
    recorded = run(given)
    assert any("VirtualService::backend" in urn for urn in recorded.requests[(DEPLOYMENT, "backend-v2")].dependencies)
    assert any("DestinationRule::backend-v2" in urn for urn in recorded.requests[(ROUTE, "backend")].dependencies)
    assert not any("VirtualService" in urn for urn in recorded.requests[(DEPLOYMENT, "backend-v1")].dependencies)


def test_each_object_carries_its_stack() -> None:
    """Whoever finds the object, weir above all, can tell whose it is."""
    recorded = run(SOUND)
    objects = [given for (kind, _), given in recorded.resources.items() if kind.startswith("kubernetes:")]
    assert {given["metadata"]["annotations"]["weir.dev/stack"].split("/", 1)[1] for given in objects} == {"weir/dev"}


def test_several_pods_have_a_disruption_budget() -> None:
    """One pod at a time may be drained where there are several; a single one must be allowed to move."""
    given = {
        **SOUND,
        "services": {"backend": {**SOUND["services"]["backend"], "versions": {"v1": {"replicas": 3}, "v2": {}}}},
    }
    budgets = [name for kind, name in run(given).resources if "PodDisruptionBudget" in kind]
    assert budgets == ["backend-v1"]


def test_an_address_never_makes_the_engine_replace_a_service(program: Recorded) -> None:
    """Its provider would, for any change of it: the Service would be gone for a moment."""
    assert list(program.requests["kubernetes:core/v1:Service", "backend"].ignoreChanges) == ["spec.clusterIP"]
