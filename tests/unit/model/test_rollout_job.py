"""The CronJob that goes on with rollouts: Kubernetes takes it, and it is hardened, alone, and finds its cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.pods import unrestricted
from tests.unit.cli.test_commands import refused, weir
from tests.unit.model.test_rules import backend
from weir.model import load
from weir.model.manifests.rollout_job import rollout_job
from weir.model.values import kubernetes_api

# The types that are not among those of weir/model/values/kubernetes_api.json, in the same form, from the OpenAPI
# documents of Kubernetes itself (k8s.io/kubernetes v1.36.3, api/openapi-spec/v3: batch/v1 and v1).
MORE = Path(__file__).parent / "samples" / "cronjob_api.json"
TYPES = {"ConfigMap": "core.v1.ConfigMap", "CronJob": "batch.v1.CronJob"}


def made(**keys: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The kubeconfig's ConfigMap, and the CronJob."""
    first, second = rollout_job(load({**backend(), **keys}), "acme/weir/prod", "registry.example.com/weir:1.2")
    return first, second


def pod(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["spec"]["jobTemplate"]["spec"]["template"]
    return found


def test_kubernetes_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field is one that its types have, and each that they need is there."""
    types = {**json.loads(MORE.read_text()), **kubernetes_api._read()["definitions"]}
    monkeypatch.setattr(kubernetes_api, "_definitions", lambda: types)
    assert kubernetes_api.version() == "v1.36.3"
    for each in made():
        assert list(kubernetes_api.problems(each, {}, kubernetes_api.kind(TYPES[each["kind"]]))) == []
    spoiled = made()[1]
    spoiled["spec"]["concurencyPolicy"] = spoiled["spec"].pop("concurrencyPolicy")
    [(path, said)] = kubernetes_api.problems(spoiled, {}, kubernetes_api.kind("batch.v1.CronJob"))
    assert (path, said) == (
        ("spec", "concurencyPolicy"),
        "Kubernetes has no such field here, did you mean concurrencyPolicy?",
    )


def test_two_never_run_at_once_and_none_for_ever() -> None:
    """A run that fails is not repeated: the next minute is."""
    spec = made()[1]["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("* * * * *", "Forbid")
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert 0 < spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] <= 3600
    assert pod(made()[1])["spec"]["restartPolicy"] == "Never"


def test_it_runs_as_the_account_that_may_do_it() -> None:
    """In istiod's namespace, where the account is; without a sidecar, with which a Job would not end."""
    job = made(propagation={"istiodNamespace": "mesh"})[1]
    assert (job["metadata"]["name"], job["metadata"]["namespace"]) == ("weir-demo-rollout", "mesh")
    template = pod(job)
    assert template["spec"]["serviceAccountName"] == "weir-demo"
    assert template["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    [container] = template["spec"]["containers"]
    assert container["command"] == ["weir", "rollout", "--once", "--stack", "acme/weir/prod"]
    assert container["image"] == "registry.example.com/weir:1.2"
    assert container["envFrom"] == [{"secretRef": {"name": "weir-demo"}}]


def test_its_pods_are_restricted() -> None:
    """By the profile of Kubernetes that the policy pack holds all pods to."""
    job = made()[1]
    assert unrestricted(job) == []
    pod(job)["spec"]["containers"][0]["securityContext"]["privileged"] = True
    assert len(unrestricted(job)) == 1


@pytest.mark.parametrize(("keys", "context"), [({}, "in-cluster"), ({"kubeContext": "prod-eu"}, "prod-eu")])
def test_the_stack_file_finds_its_context(keys: dict[str, Any], context: str) -> None:
    """In a kubeconfig at KUBECONFIG, with the pod's own token, which Kubernetes renews in the file."""
    config, job = made(**keys)
    found = yaml.safe_load(config["data"]["kubeconfig"])
    assert found["current-context"] == context
    assert [each["name"] for each in found["contexts"]] == [context]
    assert found["users"][0]["user"] == {"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}
    spec = pod(job)["spec"]
    [container] = spec["containers"]
    [mount] = container["volumeMounts"]
    assert container["env"] == [{"name": "KUBECONFIG", "value": f"{mount['mountPath']}/kubeconfig"}]
    assert spec["volumes"] == [{"name": mount["name"], "configMap": {"name": config["metadata"]["name"]}}]
    assert spec["automountServiceAccountToken"] is True


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    for stack, more in (("dev", {"weir:kubeconfig": ".weir/kubeconfig"}), ("prod", {})):
        config = {f"weir:{key}": value for key, value in backend().items()} | more
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(json.dumps({"config": config}))
    return tmp_path


def test_weir_rbac_prints_it_where_it_is_asked_for(project: Path) -> None:
    """Beside the account, for an image of the user's."""
    without, there = (
        [each["kind"] for each in yaml.safe_load_all(weir("rbac", "--stack", "prod", *more, cwd=project).stdout)]
        for more in (["--with-rollout"], ["--with-rollout", "--image", "shop/weir:1"])
    )
    assert there == [*without, "ConfigMap", "CronJob"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stack", "prod", "--image", "a:1"], "--image is of the CronJob for rollouts; add --with-rollout"),
        (
            ["--stack", "dev", "--with-rollout", "--image", "a:1"],
            "weir:kubeconfig of dev is a file of this machine (.weir/kubeconfig), and a pod has none there: leave the "
            "key out, and name the file in KUBECONFIG where you run pulumi",
        ),
    ],
)
def test_what_would_not_run_is_refused(project: Path, arguments: list[str], said: str) -> None:
    """With what to do."""
    assert refused(weir("rbac", *arguments, cwd=project)).strip() == said
