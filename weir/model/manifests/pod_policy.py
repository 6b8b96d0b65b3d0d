"""What keeps the pods of a stack's account to what weir makes: a ValidatingAdmissionPolicy (Kubernetes 1.30 and later)
and its binding.

Roles cannot say it: who may create a Deployment may run any pod. The policy looks at the Deployment as the account
sends it, not at pods, which have Istio's own containers in them by then. What is in these is Istio's to say, and the
account may not say it in Istio's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from weir.model.config.containers import PROXY_USER
from weir.model.manifests.kubernetes import MANAGED_BY, Manifest

_API = "admissionregistration.k8s.io/v1"
_ISTIOS = ("istio-init", "istio-proxy", "istio-validation")
"""Containers that Istio adds to pods. Of one that is there already it takes over what that says."""


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
    pods = [each["spec"]["template"]["spec"] for each in deployments]
    found = [container for pod in pods for container in pod["containers"]]
    contexts = [container.get("securityContext", {}) for container in found]
    added = {power for context in contexts for power in context.get("capabilities", {}).get("add", [])}
    rules = [
        (
            (
                "!variables.pod.?hostNetwork.orValue(false) && !variables.pod.?hostPID.orValue(false) && "
                "!variables.pod.?hostIPC.orValue(false)"
            ),
            "pods may not share the network, the processes or the IPC of their node",
        ),
        (
            "variables.pod.?volumes.orValue([]).all(v, has(v.emptyDir) || has(v.configMap) || has(v.downwardAPI) ||"
            " v.?projected.?sources.orValue([]).exists(s, true) && v.projected.sources.all(s, has(s.configMap) || "
            "has(s.downwardAPI)))",
            "volumes may be emptyDir, configMap and downwardAPI",
        ),
        (
            _each("c.?ports.orValue([]).all(p, p.?hostPort.orValue(0) == 0)"),
            "containers may not have ports of their node",
        ),
        (
            "variables.pod.?automountServiceAccountToken.orValue(true) == false && variables.app != '' &&"
            " variables.pod.?serviceAccountName.orValue('') == variables.app",
            "pods have the account of their label app, and no token of it",
        ),
        (
            f"!variables.containers.exists(c, c.name in {_list(_ISTIOS)})"
            " && object.spec.template.?metadata.?annotations.orValue({}).all(k, !k.contains('istio.io/'))",
            "what Istio adds to pods is not to be changed by containers of its names or by annotations",
        ),
        (
            # Where it is left out, the pod or the image says it.
            f"variables.containers.all(c, c.?securityContext.?runAsUser.orValue({PROXY_USER}) != {PROXY_USER})"
            " && size(variables.pod.?securityContext.?sysctls.orValue([])) == 0"
            " && variables.containers.all(c, c.?securityContext.?procMount.orValue('Default') == 'Default')"
            " && !variables.pod.?securityContext.?windowsOptions.?hostProcess.orValue(false)"
            " && variables.containers.all(c, !c.?securityContext.?windowsOptions.?hostProcess.orValue(false))",
            f"pods may not run as the user of Istio's proxy ({PROXY_USER}), and not change the kernel's settings",
        ),
        (
            _each(f"c.?securityContext.?capabilities.?add.orValue([]).all(p, p in {_list(added)})"),
            f"{_only('powers of root', added)}",
        ),
    ]
    # What no container of the stack has changed is as weir writes it.
    if not any(context.get("privileged") for context in contexts):
        rules.append((_each("!c.?securityContext.?privileged.orValue(false)"), "containers may not be privileged"))
    if not any(context.get("allowPrivilegeEscalation") for context in contexts):
        rules.append(
            (
                _each("!c.?securityContext.?allowPrivilegeEscalation.orValue(true)"),
                "allowPrivilegeEscalation must be false",
            )
        )
    if all(context.get("runAsNonRoot", True) for context in contexts):
        rules.append((_each("c.?securityContext.?runAsNonRoot.orValue(false)"), "runAsNonRoot must be true"))
    if all(context.get("capabilities", {}).get("drop", ["ALL"]) == ["ALL"] for context in contexts):
        rules.append(
            (_each("'ALL' in c.?securityContext.?capabilities.?drop.orValue([])"), "capabilities must drop ALL")
        )
    if all(context.get("seccompProfile", {}).get("type") != "Unconfined" for context in contexts):
        kinds = _list(["RuntimeDefault", "Localhost"])
        rules.append(
            (
                _each(f"c.?securityContext.?seccompProfile.?type.orValue('') in {kinds}"),
                "seccompProfile must be RuntimeDefault",
            )
        )
    if deployments:
        accounts = {pod["serviceAccountName"] for pod in pods}
        rules.append(
            (
                f"variables.app in {_list(accounts)}",
                _only("accounts", accounts) + "; after a new service apply weir rbac again",
            )
        )
        secrets = {name for container in found for name in _secrets(container)}
        known = f"{{}} in {_list(secrets - own)} || {_list(own)}.exists(o, {{}}.startsWith(o + '-'))"
        of_key, whole = "e.valueFrom.secretKeyRef.name", "e.secretRef.name"
        rules.append(
            (
                _each(
                    "c.?env.orValue([]).all(e, !has(e.valueFrom) || !has(e.valueFrom.secretKeyRef) || "
                    f"{known.format(of_key, of_key)})"
                    f" && c.?envFrom.orValue([]).all(e, !has(e.secretRef) || {known.format(whole, whole)})"
                ),
                _only("Secrets", secrets) + "; after a new one apply weir rbac again",
            )
        )
    return rules


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
    """As CEL has it. Names of Kubernetes and of users have no quotes, and no backslashes."""
    return f"'{text}'"
