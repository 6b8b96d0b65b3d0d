"""The rights a stack needs are few, and none of them reaches further than it says."""

from __future__ import annotations

from typing import Any

from tests.unit.model.test_rules import backend, service
from weir.model import load
from weir.model.manifests.rbac import rbac
from weir.secret import Secret


def rules(verify: bool = False, rollout: bool = False, **keys: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Every rule with its role's kind and namespace."""
    objects = rbac(load({**backend(), **keys}), "organization/weir/dev", verify, rollout)
    roles = [each for each in objects if each["kind"] in ("Role", "ClusterRole")]
    return [(role["kind"], role["metadata"].get("namespace", ""), rule) for role in roles for rule in role["rules"]]


def test_no_secret_no_command_and_nothing_beyond_the_namespace() -> None:
    """Nobody who has the account can read a Secret, run a command in a pod, or touch another namespace than the
    stack's.
    """
    found = rules()
    resources = {resource for _, _, rule in found for resource in rule["resources"]}
    assert not resources & {"secrets", "pods/exec", "*", "roles", "rolebindings"}
    assert {place for _, place, _ in found} == {"", "demo", "istio-system"}
    beyond = [(rule.get("resourceNames"), rule["verbs"]) for kind, _, rule in found if kind == "ClusterRole"]
    assert beyond == [(["demo"], ["get", "patch", "delete"]), (None, ["list", "watch"])]
    asked = [rule for _, place, rule in found if place == "istio-system"]
    assert {(*rule["resources"], *rule["verbs"]) for rule in asked} == {
        ("pods", "get", "list"),
        ("pods/portforward", "create"),
    }


def test_a_stack_with_secrets_may_have_them() -> None:
    """Only then, and only in its own namespace."""
    hidden = {"TOKEN": Secret("v1:a")}
    for services in (service(env=hidden), service(versions={"v1": {"env": hidden}, "v2": {}})):
        more = [entry for entry in rules(services={"backend": services}) if entry not in rules()]
        assert [(kind, place, rule["resources"]) for kind, place, rule in more] == [("Role", "demo", ["secrets"])]


def test_verify_adds_one_right() -> None:
    """Running curl in a client's pod is asked for by name."""
    more = [entry for entry in rules(verify=True) if entry not in rules()]
    assert [(place, rule["resources"]) for _, place, rule in more] == [("demo", ["pods/exec"])]


def test_a_rollout_adds_its_state_and_asking_callers() -> None:
    """What `weir rollout` does beyond a release: it writes the ConfigMaps of the stack's services, and no other, and
    asks callers' proxies by a command in their pods. Every update reads ConfigMaps, also for a service that is new to
    the account; none may delete one.
    """
    plain, more = ([rule for _, place, rule in rules(rollout=each) if place == "demo"] for each in (False, True))
    reads = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
    assert [each for each in plain if "configmaps" in each["resources"]] == [reads]
    assert [each for each in more if each not in plain] == [
        {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
        {**reads, "resourceNames": ["weir-rollout-backend"], "verbs": ["update"]},
        # A name that is not there yet cannot be restricted to.
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
    ]
    assert {"pods"} <= {name for rule in more for name in rule["resources"] if "list" in rule["verbs"]}
    elsewhere = [each for each in rules() if each[1] != "demo"]
    assert [each for each in rules(rollout=True) if each[1] != "demo"] == elsewhere


def test_a_namespace_of_somebody_elses_needs_no_right_beyond_it() -> None:
    """With createNamespace: false there is no cluster role, and no Namespace to apply."""
    objects = rbac(load({**backend(), "createNamespace": False}), "organization/weir/dev", False)
    assert not [each for each in objects if each["kind"] in ("ClusterRole", "ClusterRoleBinding", "Namespace")]


def test_the_namespace_is_the_stacks_own() -> None:
    """It is marked as made by the stack, which takes it over instead of refusing it."""
    [made] = [each for each in rbac(load(backend()), "organization/weir/dev", False) if each["kind"] == "Namespace"]
    assert made["metadata"]["annotations"] == {"weir.dev/stack": "organization/weir/dev"}


def said(**keys: Any) -> str:
    """All that the policy says to somebody whom it refuses."""
    objects = rbac(load({**backend(), **keys}), "organization/weir/dev", False)
    [policy] = [each for each in objects if each["kind"] == "ValidatingAdmissionPolicy"]
    return "\n".join(each["message"] for each in policy["spec"]["validations"])


def test_the_policy_allows_what_the_config_has_and_no_more() -> None:
    """Each setting beyond weir's default that the stack's config has takes away its rule; the lab shows that the
    others hold.
    """
    default = said()
    assert "privileged" in default
    assert "powers of root that the stack's pods may have: none" in default
    assert "accounts that the stack's pods may have: backend;" in default
    more = {"runAsUser": 0, "runAsNonRoot": False, "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}}
    services = backend(securityContext=more)["services"]
    changed = said(services=services)
    assert "powers of root that the stack's pods may have: NET_BIND_SERVICE" in changed
    assert "runAsNonRoot" not in changed
    assert "containers may not be privileged" in changed
