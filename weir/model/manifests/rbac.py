"""The least a stack needs in a cluster, as Kubernetes objects: an account, roles with only what weir does, a policy
for the pods it makes.

Nothing here runs commands in pods, or reaches beyond the stack's namespace, but for one right in istiod's: to ask it
what proxies know. Only of a stack that has secrets itself the account may read Secrets: their names are generated, so
that it is all of the namespace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from weir.model.config.environment import secrets
from weir.model.config.rollout import record_name
from weir.model.config.stack import StackConfig
from weir.model.manifests.annotations import OWNER
from weir.model.manifests.kubernetes import MANAGED_BY, Manifest, namespace
from weir.model.manifests.mesh import mesh
from weir.model.manifests.pod_policy import pod_policy
from weir.model.values.names import WORKLOAD_KINDS

ACCOUNT = "weir"
_RBAC = "rbac.authorization.k8s.io"
_MANAGE = ["get", "list", "watch", "create", "patch", "delete"]
_READ = ["get", "list", "watch"]


def rbac(config: StackConfig, owner: str, verify: bool, rollout: bool = False) -> list[Manifest]:
    """Every object, in the order in which they can be applied. `owner`: ORGANIZATION/PROJECT/STACK; `verify`: also
    what `weir verify` needs; `rollout`: also what `weir rollout` needs.
    """
    there = config.namespace
    istio = config.propagation.istiod_namespace
    # Not in the stack's namespace: who deletes that must not go with it, before it has seen it gone.
    account = {"kind": "ServiceAccount", "name": account_name(there), "namespace": istio}
    objects = [_object("v1", "ServiceAccount", account["name"], istio)]
    if config.create_namespace:
        # Made for the stack, and marked as made by it: it takes it over, and removes it in the end.
        its = namespace(there)
        objects.append({**its, "metadata": {**its["metadata"], "annotations": {OWNER: owner}}})
        own = [
            {
                "apiGroups": [""],
                "resources": ["namespaces"],
                "resourceNames": [there],
                "verbs": ["get", "patch", "delete"],
            },
            # The provider watches all namespaces to see one go, and would wait for ever where it may not.
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]},
        ]
        objects += _role("ClusterRole", None, own, account)
    made = list(mesh(config, there).objects())
    kinds = {each["kind"] for each in made}
    rules = _rules(verify or rollout, has_secrets(config), kinds, _workloads(config))
    objects += _role("Role", there, [*rules, *_records(config, rollout)], account)
    objects += _role("Role", istio, _asking(), account)
    pods = [each for each in made if each["kind"] == "Deployment"]
    secret = [each["metadata"]["name"] for each in made if each["kind"] == "Secret"]
    objects += pod_policy(account["name"], f"system:serviceaccount:{istio}:{account['name']}", pods, secret)
    return objects


def can_do(config: StackConfig) -> list[str]:
    """What somebody can do who has the account, in words: roles say less than they allow."""
    there, istio = config.namespace, config.propagation.istiod_namespace
    return [
        (
            f"Who has this account can run any image in namespace {there}, as often as its quota allows, and reach "
            "from there what the network lets it"
        ),
        (
            f"reach; change and remove whatever Deployments, Services and rules of Istio {there} has, and so take its "
            "traffic; read the logs of its pods."
        ),
        (
            "A pod can have whatever its Deployment asks for: the node's files and network, its root, other accounts, "
            "the namespace's Secrets. Roles"
        ),
        (
            "cannot forbid that. The ValidatingAdmissionPolicy below does, for this account and what the stack's "
            "config has today: apply it with the"
        ),
        (
            f"roles (Kubernetes 1.30 and later), and again after a new service. In {istio} the account can connect to "
            "any port of any pod"
        ),
        (
            "(pods/portforward), which is how weir asks istiod; istiod's port 15014 shows what it tells the proxies of "
            "the whole mesh."
        ),
    ]


def account_name(namespace: str) -> str:
    """The account of a stack, and its roles, by the stack's namespace."""
    return f"weir-{namespace}"


def has_secrets(config: StackConfig) -> bool:
    """Whether a version of the stack has a Secret."""
    return any(
        secrets(part.env) for service in config.services.values() for part in (service, *service.versions.values())
    )


def _workloads(config: StackConfig) -> list[tuple[str, str]]:
    """API group and resource of what of somebody else's runs pods; Deployments are weir's to see anyway."""
    versions = [version for service in config.services.values() for version in service.versions.values()]
    kinds = {version.workload.partition("/")[0] for version in versions if version.workload} - {"deployment"}
    return sorted(
        ("apps", f"{kind}s") if kind in WORKLOAD_KINDS else (kind.partition(".")[2], kind.partition(".")[0])
        for kind in kinds
    )


def _rules(
    verify: bool, keeps_secrets: bool, kinds: Collection[str], workloads: Iterable[tuple[str, str]]
) -> list[dict[str, Any]]:
    rules = [
        {"apiGroups": [""], "resources": ["services", "serviceaccounts"], "verbs": _MANAGE},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": _MANAGE},
        {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": _MANAGE},
        {
            "apiGroups": ["networking.istio.io"],
            "resources": [
                *("virtualservices", "destinationrules", "gateways"),
                *(["serviceentries"] if "ServiceEntry" in kinds else []),
            ],
            "verbs": _MANAGE,
        },
        # To wait for pods, and to say what is wrong with them; the provider waits for ever where it may not watch
        # claims.
        {"apiGroups": [""], "resources": ["pods", "events", "persistentvolumeclaims"], "verbs": _READ},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": _READ},
    ]
    if keeps_secrets:
        rules.append({"apiGroups": [""], "resources": ["secrets"], "verbs": _MANAGE})
    rules += [{"apiGroups": [group], "resources": [resource], "verbs": ["get"]} for group, resource in workloads]
    if "HorizontalPodAutoscaler" in kinds:
        rules.append({"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": _MANAGE})
    if verify:
        rules.append({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]})
    return rules


def _records(config: StackConfig, rollout: bool) -> list[dict[str, Any]]:
    """Rollouts are known by their ConfigMaps, which every update looks for, also that of a service that is new."""
    names = [record_name(service) for service in config.services]
    records: list[dict[str, Any]] = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    if rollout and names:
        records.append({"apiGroups": [""], "resources": ["configmaps"], "resourceNames": names, "verbs": ["update"]})
    if rollout:
        # What is created has no name yet to be restricted to.
        records.append({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]})
    return records


def _asking() -> list[dict[str, Any]]:
    return [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create"]},
    ]


def _role(kind: str, place: str | None, rules: list[dict[str, Any]], account: dict[str, str]) -> list[Manifest]:
    """A role and what binds it to the account; both have the account's name."""
    reference = {"apiGroup": _RBAC, "kind": kind, "name": account["name"]}
    return [
        {**_object(f"{_RBAC}/v1", kind, account["name"], place), "rules": rules},
        {
            **_object(f"{_RBAC}/v1", f"{kind}Binding", account["name"], place),
            "roleRef": reference,
            "subjects": [account],
        },
    ]


def _object(api: str, kind: str, name: str, place: str | None) -> Manifest:
    metadata: dict[str, Any] = {"name": name, **({"namespace": place} if place else {}), "labels": dict(MANAGED_BY)}
    return {"apiVersion": api, "kind": kind, "metadata": metadata}
