"""What goes on with a stack's rollouts in the cluster itself: a CronJob that runs `weir rollout --once` every minute.

Not a Deployment: between two rollouts nothing runs, each run begins with the project as it is in the image, and a node
that is lost costs a minute. All that has to outlive a run is in the rollout's ConfigMap and in Pulumi's state.
"""

from __future__ import annotations

from typing import Any

from weir.model.config.stack import StackConfig
from weir.model.manifests.kubernetes import MANAGED_BY, Manifest, hardened
from weir.model.manifests.rbac import account_name
from weir.yaml_writer import dump

_MOUNT = "/etc/weir"
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_CONTEXT = "in-cluster"
_LONGEST_SECONDS = 1800
"""A run that hangs would keep every later one from its turn."""
_GRACE_SECONDS = 120
"""For Pulumi to end in good order what it has begun."""


def rollout_job(config: StackConfig, stack: str, image: str) -> list[Manifest]:
    """The CronJob, and the kubeconfig for its pods, beside the account of `rbac`. `stack`: as `--stack` takes it;
    `image`: has weir, Pulumi, kubectl, and the project as its working directory.

    The pods' environment comes from a Secret of the account's name, which is not made here: where Pulumi's state is,
    and what opens it.
    """
    account, name = account_name(config.namespace), f"{account_name(config.namespace)}-rollout"
    made = {"name": name, "namespace": config.propagation.istiod_namespace, "labels": dict(MANAGED_BY)}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": made,
        "data": {"kubeconfig": dump([_kubeconfig(config.kube_context or _CONTEXT)])},
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": made,
        "spec": {
            "schedule": "* * * * *",
            # Two at once would be told from each other, at the price of a run.
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": dict(MANAGED_BY)},
                # The next minute tries again.
                "spec": {
                    "backoffLimit": 0,
                    "activeDeadlineSeconds": _LONGEST_SECONDS,
                    "template": {
                        "metadata": _pod_metadata(name),
                        "spec": _pod(account, stack, image, name),
                    },
                },
            },
        },
    }
    return [kubeconfig, job]


def _pod_metadata(name: str) -> Manifest:
    # It sends no requests into the mesh, and with a sidecar a Job would never end.
    return {"labels": {"app": name, "sidecar.istio.io/inject": "false", **MANAGED_BY}}


def _pod(account: str, stack: str, image: str, kubeconfig: str) -> Manifest:
    run = hardened("weir", image)
    # Of the rest weir's pods have, this one cannot have: the stack file is edited where it lies, and nothing of the
    # edit outlives the pod.
    run["securityContext"]["readOnlyRootFilesystem"] = False
    run |= {
        "command": ["weir", "rollout", "--once", "--stack", stack],
        "env": [{"name": "KUBECONFIG", "value": f"{_MOUNT}/kubeconfig"}],
        "envFrom": [{"secretRef": {"name": account}}],
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}},
        "volumeMounts": [{"name": "kubeconfig", "mountPath": _MOUNT, "readOnly": True}],
    }
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": True,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "containers": [run],
        "volumes": [{"name": "kubeconfig", "configMap": {"name": kubeconfig}}],
    }


def _kubeconfig(context: str) -> dict[str, Any]:
    """The pod's own account, under the name by which the stack file asks for a context."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": _CONTEXT,
                "cluster": {
                    "server": "https://kubernetes.default.svc",
                    "certificate-authority": f"{_ACCOUNT}/ca.crt",
                },
            }
        ],
        "users": [{"name": _CONTEXT, "user": {"tokenFile": f"{_ACCOUNT}/token"}}],
        "contexts": [{"name": context, "context": {"cluster": _CONTEXT, "user": _CONTEXT}}],
        "current-context": context,
    }
