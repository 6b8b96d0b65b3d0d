"""What `weir rbac --with-rollout` gives is what a rollout needs; and the API server takes the CronJob."""

from __future__ import annotations

import json

from tests.live.harness import Project, stack_like_dev
from tests.live.test_closed import account

STACK = "rolling"
FILE = f"Pulumi.{STACK}.yaml"
# Nobody sends requests here: what cannot be decided goes on, so that every kind of step is taken within seconds.
SETTINGS = "rollout: {steps: [30, 60], pause: 1s, analysis: {patience: 2s, undecided: promote}}"


def test_a_rollout_needs_no_more_than_its_account_may(lab: Project) -> None:
    """It begins, takes its steps, is taken back by an abort, and is promoted in the end, by that account alone."""
    with stack_like_dev(lab, STACK), account(lab, STACK, "--with-rollout") as kubeconfig:
        file = lab.directory / FILE
        text = file.read_text().replace(".weir/lab/kubeconfig", kubeconfig)
        assert kubeconfig in text
        file.write_text(text.replace("      stable: v1 ", f"      {SETTINGS}\n      stable: v1 "))
        lab.run(f"pulumi up --yes --skip-preview --stack {STACK}")
        begun = lab.run(f".venv/bin/weir rollout backend v2 --steps 30,60 --pause 1h --once --yes --stack {STACK}")
        assert "v2 is at 30 %" in begun.stdout
        lab.run(f".venv/bin/weir abort backend --yes --stack {STACK}")
        done = lab.run(f".venv/bin/weir rollout backend v2 --yes --json --stack {STACK}")
        assert json.loads(done.stdout)["phase"] == "promoted"
        may = f"kubectl --kubeconfig {kubeconfig} auth can-i {{}} -n {STACK}"
        assert lab.run(may.format("delete configmaps"), check=False).stdout == "no\n"
        assert lab.run(may.format("update configmaps/another"), check=False).stdout == "no\n"


def test_the_api_server_takes_the_job(lab: Project) -> None:
    """As it is printed; nothing is made of it. An image with weir in it is the user's, and not in the lab."""
    with stack_like_dev(lab, STACK):
        file = lab.directory / FILE
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if "weir:kubeconfig:" not in line))
        printed = f".venv/bin/weir rbac --stack {STACK} --with-rollout --image shop/weir:1"
        # Server-side, the types are looked at strictly: a field that is none is refused.
        taken = lab.run(f"{printed} | kubectl apply --server-side --dry-run=server --validate=strict -f -", check=False)
        assert "cronjob.batch/weir-rolling-rollout serverside-applied" in taken.stdout, taken.stderr
        assert "configmap/weir-rolling-rollout serverside-applied" in taken.stdout
