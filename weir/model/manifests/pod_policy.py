"""What keeps the pods of a stack's account to what weir makes: a ValidatingAdmissionPolicy (Kubernetes 1.30 and later)
and its binding.

Roles cannot say it: who may create a Deployment may run any pod. The policy looks at the Deployment as the account
sends it, not at pods, which have Istio's own containers in them by then. What is in these is Istio's to say, and the
account may not say it in Istio's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from weir.model.config.containers import PROXY_USER
from weir.model.manifests.kubernetes import MANAGED_BY, Manifest

_API = "admissionregistration.k8s.io/v1"
_ISTIOS = ("istio-init", "istio-proxy", "istio-validation")
"""Containers that Istio adds to pods. Of one that is there already it takes over what that says."""


_HARMLESS_VOLUMES = {"emptyDir", "configMap", "downwardAPI"}
_NAMED = {"secret": "secretName", "persistentVolumeClaim": "claimName", "hostPath": "path"}
"""Volumes that are allowed one by one, by this field."""


def pod_policy(name: str, user: str, deployments: Sequence[Manifest], own: Iterable[str]) -> list[Manifest]:
    """The policy and its binding. `user`: the account's name as the API server knows it; `deployments`: those of the
    stack; `own`: the Secrets that the stack makes, to whose names Pulumi adds something.

    What these have beyond weir's default (root, powers of root, Secrets) is allowed, and only that. Where the stack
    has none yet, nothing is known of accounts and Secrets: an account must only have the name of its pods' label
    `app`.
    """
    policy = {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name, "labels": dict(MANAGED_BY)},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["apps"],
                        "apiVersions": ["*"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["deployments"],
                    }
                ]
            },
            "matchConditions": [{"name": "the-account", "expression": f"request.userInfo.username == {_text(user)}"}],
            "variables": [
                {"name": "pod", "expression": "object.spec.template.spec"},
                {
                    "name": "containers",
                    "expression": "variables.pod.containers + variables.pod.?initContainers.orValue([])",
                },
                {"name": "app", "expression": "object.spec.template.?metadata.?labels[?'app'].orValue('')"},
            ],
            "validations": [
                {"expression": expression, "message": message} for expression, message in _rules(deployments, set(own))
            ],
        },
    }
    binding = {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name, "labels": dict(MANAGED_BY)},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    return [policy, binding]


def _rules(deployments: Sequence[Manifest], own: set[str]) -> list[tuple[str, str]]:
    """Expressions (CEL) that must hold, and what to say where one does not."""
    templates = [each["spec"]["template"] for each in deployments]
    pods = [each["spec"] for each in templates]
    found = [container for pod in pods for container in (*pod["containers"], *pod.get("initContainers", []))]
    annotations = [item for each in templates for item in each["metadata"].get("annotations", {}).items()]
    return [
        *_node(pods, found),
        _volumes([volume for pod in pods for volume in pod.get("volumes", [])]),
        _account(pods),
        (
            f"!variables.containers.exists(c, c.name in {_list(_ISTIOS)})"
            " && object.spec.template.?metadata.?annotations.orValue({}).all(k, !k.contains('istio.io/') || "
            "(k + '=' + object.spec.template.metadata.annotations[k]) in "
            f"{_list(f'{key}={value}' for key, value in annotations if 'istio.io/' in key)})",
            "what Istio adds to pods is not to be changed by containers of its names, or by annotations that the stack "
            "does not have",
        ),
        *_users(found),
        *([_secrets_of(found, own)] if deployments else []),
    ]


def _node(pods: Sequence[Manifest], found: Sequence[Manifest]) -> Iterator[tuple[str, str]]:
    """What pods may have of their node."""
    shared = {name for name in ("hostNetwork", "hostPID", "hostIPC") if any(pod.get(name) for pod in pods)}
    yield (
        " && ".join(
            f"!variables.pod.?{name}.orValue(false)"
            for name in ("hostNetwork", "hostPID", "hostIPC")
            if name not in shared
        )
        or "true",
        "pods may not share the network, the processes or the IPC of their node",
    )
    ports = {port["hostPort"] for container in found for port in container.get("ports", []) if port.get("hostPort")}
    yield (
        _each(f"c.?ports.orValue([]).all(p, p.?hostPort.orValue(0) in {sorted({0, *ports})})"),
        "containers may not have ports of their node",
    )


def _volumes(volumes: Sequence[Manifest]) -> tuple[str, str]:
    """What may be mounted: what harms nobody, and what pods of the stack mount, by its name where it has one."""
    sources = [source for each in volumes for source in each.get("projected", {}).get("sources", [])]
    kinds = {kind for volume in volumes for kind in volume if kind not in ("name", "projected", *_NAMED)}
    allowed = [f"has(v.{kind})" for kind in sorted({*_HARMLESS_VOLUMES, *kinds})]
    for kind, field in _NAMED.items():
        names = {volume[kind][field] for volume in volumes if kind in volume}
        if names:
            allowed.append(f"v.?{kind}.?{field}.orValue('') in {_list(names)}")
    parts = sorted({"configMap", "downwardAPI", *(kind for source in sources for kind in source if kind != "secret")})
    inside = [f"has(s.{kind})" for kind in parts]
    secrets = {source["secret"]["name"] for source in sources if "secret" in source}
    if secrets:
        inside.append(f"s.?secret.?name.orValue('') in {_list(secrets)}")
    allowed.append(
        f"v.?projected.?sources.orValue([]).exists(s, true) && v.projected.sources.all(s, {' || '.join(inside)})"
    )
    more = sorted({*kinds, *(kind for kind in _NAMED if any(kind in volume for volume in volumes))} - _HARMLESS_VOLUMES)
    told = f" and, by their names, {', '.join(more)}" if more else ""
    return (
        f"variables.pod.?volumes.orValue([]).all(v, {' || '.join(allowed)})",
        f"volumes may be emptyDir, configMap and downwardAPI{told}",
    )


def _account(pods: Sequence[Manifest]) -> tuple[str, str]:
    """As whom pods run: as one of the stack's own; where it has none yet, as their label app says."""
    accounts = {pod.get("serviceAccountName", "") for pod in pods}
    token = any(pod.get("automountServiceAccountToken", True) for pod in pods)
    account = "variables.pod.?serviceAccountName.orValue('')"
    no_token = "" if token else "variables.pod.?automountServiceAccountToken.orValue(true) == false && "
    if not pods:
        return (
            f"{no_token}variables.app != '' && {account} == variables.app",
            f"pods have the account of their label app{'' if token else ', and no token of it'}",
        )
    return (
        f"{no_token}{account} in {_list(accounts)}",
        f"{_only('accounts', {each or 'default' for each in accounts})}; after a new service apply weir rbac again"
        f"{'' if token else '; no pod has its token'}",
    )


def _users(found: Sequence[Manifest]) -> Iterator[tuple[str, str]]:
    """As which user of the system containers run, and with what powers."""
    contexts = [container.get("securityContext", {}) for container in found]
    added = {power for context in contexts for power in context.get("capabilities", {}).get("add", [])}
    # Where it is left out, the pod or the image says it: refused, unless the stack leaves it out.
    left_out = 0 if any("runAsUser" not in context for context in contexts) else PROXY_USER
    yield (
        f"variables.containers.all(c, c.?securityContext.?runAsUser.orValue({left_out}) != {PROXY_USER})"
        " && size(variables.pod.?securityContext.?sysctls.orValue([])) == 0"
        " && variables.containers.all(c, c.?securityContext.?procMount.orValue('Default') == 'Default')"
        " && !variables.pod.?securityContext.?windowsOptions.?hostProcess.orValue(false)"
        " && variables.containers.all(c, !c.?securityContext.?windowsOptions.?hostProcess.orValue(false))",
        f"pods may not run as the user of Istio's proxy ({PROXY_USER}), and not change the kernel's settings",
    )
    yield (
        _each(f"c.?securityContext.?capabilities.?add.orValue([]).all(p, p in {_list(added)})"),
        f"{_only('powers of root', added)}",
    )
    # What no container of the stack has changed is as weir writes it.
    if not any(context.get("privileged") for context in contexts):
        yield _each("!c.?securityContext.?privileged.orValue(false)"), "containers may not be privileged"
    if not any(context.get("allowPrivilegeEscalation", True) for context in contexts):
        yield (
            _each("!c.?securityContext.?allowPrivilegeEscalation.orValue(true)"),
            "allowPrivilegeEscalation must be false",
        )
    if all(context.get("runAsNonRoot") for context in contexts):
        yield _each("c.?securityContext.?runAsNonRoot.orValue(false)"), "runAsNonRoot must be true"
    if all("ALL" in context.get("capabilities", {}).get("drop", []) for context in contexts):
        yield _each("'ALL' in c.?securityContext.?capabilities.?drop.orValue([])"), "capabilities must drop ALL"
    profiles = {context.get("seccompProfile", {}).get("type") for context in contexts}
    if profiles <= {"RuntimeDefault", "Localhost"}:
        kinds = _list(["RuntimeDefault", "Localhost"])
        yield (
            _each(f"c.?securityContext.?seccompProfile.?type.orValue('') in {kinds}"),
            "seccompProfile must be RuntimeDefault",
        )


def _secrets_of(found: Sequence[Manifest], own: set[str]) -> tuple[str, str]:
    """Which Secrets are read into variables, by name."""
    secrets = {name for container in found for name in _secrets(container)}
    known = f"{{}} in {_list(secrets - own)} || {_list(own)}.exists(o, {{}}.startsWith(o + '-'))"
    of_key, whole = "e.valueFrom.secretKeyRef.name", "e.secretRef.name"
    return (
        _each(
            "c.?env.orValue([]).all(e, !has(e.valueFrom) || !has(e.valueFrom.secretKeyRef) || "
            f"{known.format(of_key, of_key)})"
            f" && c.?envFrom.orValue([]).all(e, !has(e.secretRef) || {known.format(whole, whole)})"
        ),
        _only("Secrets", secrets) + "; after a new one apply weir rbac again",
    )


def _secrets(container: Manifest) -> Iterable[str]:
    """The Secrets from which a container has variables."""
    sources: list[Any] = [each.get("valueFrom", {}).get("secretKeyRef") for each in container.get("env", [])]
    sources += [each.get("secretRef") for each in container.get("envFrom", [])]
    return (source["name"] for source in sources if source)


def _each(condition: str) -> str:
    """That something holds of every container, `c`."""
    return f"variables.containers.all(c, {condition})"


def _only(what: str, names: Iterable[str]) -> str:
    return f"{what} that the stack's pods may have: {', '.join(sorted(names)) or 'none'}"


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, sorted(names)))}]"


def _text(text: str) -> str:
    """As CEL has it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
