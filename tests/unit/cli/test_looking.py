"""What commands that look say beside what they show: versions that get requests and have no pods."""

from __future__ import annotations

import json
import os
import subprocess
from copy import deepcopy
from pathlib import Path

import pytest

from tests.unit.cli.test_commands import WEIR
from weir.model import load, mesh

SHOP = {
    "image": "app:1",
    "versions": {"v1": {}, "v2": {"replicas": "external"}},
    "stable": "v1",
    "canary": {"v2": 20},
}
LINE = (
    "shop: v2 gets requests, which are answered 503: its owner has scaled deployment/shop-v2 to 0 pods; scale it up: "
    "kubectl scale -n demo deployment/shop-v2 --replicas=1, or send it nothing"
)
KUBECTL = """#!/bin/sh
case "$*" in
*deployments.apps*) cat "$(dirname "$0")/there.json" ;;
*) echo '{"items": []}' ;;
esac
"""

PULUMI = """#!/bin/sh
echo '{"changeSummary": {}, "steps": []}'
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one stack, and a cluster where the pods of its canary were scaled to 0."""
    config = {"namespace": "demo", "services": {"shop": SHOP}}
    there = deepcopy(list(mesh(load(config), "demo").objects()))
    for each in there:
        if each["kind"] == "Deployment":
            ready = int(each["metadata"]["name"] == "shop-v1")
            each |= {
                "spec": {**each["spec"], "replicas": ready},
                "status": {"readyReplicas": ready, "updatedReplicas": ready},
            }
    (tmp_path / "there.json").write_text(json.dumps({"items": there}))
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(json.dumps({"config": {f"weir:{key}": config[key] for key in config}}))
    for name, text in (("kubectl", KUBECTL), ("pulumi", PULUMI)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def weir(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    tools = {f"WEIR_TOOL_{name.upper()}": str(project / name) for name in ("kubectl", "pulumi")}
    done = subprocess.run(
        [str(WEIR), *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **tools},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_status_says_which_requests_meet_no_pods(project: Path) -> None:
    """As a remark, for people and for programs."""
    status = weir(project, "status", "--file", "Pulumi.dev.yaml", "--window", "0", "--json")
    assert LINE in json.loads(status.stdout)["remarks"]


def test_diff_says_so_where_nothing_changes(project: Path) -> None:
    """On stderr: what would change stays alone on stdout."""
    diff = weir(project, "diff")
    assert (diff.stdout, LINE in diff.stderr.splitlines()) == ("nothing changes\n", True)
