"""The steps of the workflows, run as GitHub runs them: a pull request and its comment, a merge, drift, and drills that
outlived their time.

False alarms: `up.sh` measures by `weir verify`, which fails by chance once in a million runs; here it does so six
times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.github import GitHub
from tests.live.harness import CHECKOUT, Project, Shell, shell_environment, stack_like_dev, until
from tests.live.lossless.conftest import soak

STACK = "ci"
FILE = f"Pulumi.{STACK}.yaml"
CI = CHECKOUT / "scripts" / "ci"
TIMEOUT = '[{"op": "add", "path": "/spec/http/0/timeout", "value": "5s"}]'


# For a secret that is not there GitHub gives an empty text; the lab has its passphrase in a file.
EMPTY = {"PULUMI_ACCESS_TOKEN": "", "PULUMI_CONFIG_PASSPHRASE": ""}


class Runner(Shell):
    """A job on the lab: its steps have the environment that GitHub and the setup action give them."""

    def step(self, command: str, code: int = 0, **environment: str) -> str:
        """What a step prints on both streams."""
        done = self.call(f"{CI}/{command}", env={**EMPTY, **environment})
        assert done.returncode == code, done.stdout
        return done.stdout

    @property
    def file(self) -> Path:
        return self.project.directory / FILE

    def edit(self, old: str, new: str) -> None:
        """What a commit changes in the stack file."""
        text = self.file.read_text()
        assert text.count(old) == 1, old
        self.file.write_text(text.replace(old, new))

    @property
    def summary(self) -> str:
        """What stands on the page of the run."""
        return Path(self.environment["GITHUB_STEP_SUMMARY"]).read_text()


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> GitHub:
    return GitHub.create(tmp_path_factory.mktemp("github"))


@pytest.fixture(scope="module")
def runner(lab: Project, github: GitHub) -> Iterator[Runner]:
    """A stack of its own, which no update has seen."""
    environment = shell_environment(lab)
    summary = github.directory / "summary"
    summary.touch()
    given = {
        **github.environment,
        "GITHUB_STEP_SUMMARY": str(summary),
        "PATH": f"{github.directory}:{environment['PATH']}",
    }
    with stack_like_dev(lab, STACK):
        yield Runner(lab, {**environment, **given})


@pytest.fixture(scope="module")
def up(runner: Runner) -> Runner:
    """The stack is deployed, with v2 at 20 %."""
    assert "backend: traffic is what the config says" in runner.step(f"up.sh {STACK}")
    return runner


@pytest.fixture
def branch(up: Runner) -> Iterator[Runner]:
    """The stack file is again what it was, whatever the test writes into it."""
    before = up.file.read_text()
    yield up
    up.file.write_text(before)


@pytest.fixture
def cluster(up: Runner) -> Iterator[Runner]:
    """So is the cluster."""
    before = up.file.read_text()
    yield up
    up.file.write_text(before)
    up.run(f"pulumi up --refresh --yes --skip-preview --stack {STACK}")


def test_a_pull_request_gets_one_comment(runner: Runner, github: GitHub) -> None:
    """The first push writes it, and the next one changes it: a new stack, then a config that has errors."""
    runner.step(f"preview.sh {STACK} previews")
    runner.step(f"comment.sh previews {STACK}")
    [comment] = github.comments
    assert comment["body"].splitlines()[0] == f"**`{STACK}`**: `backend: new service: v1 80 %, v2 20 %`"

    runner.edit("canary: {v2: 20}", "canary: {v9: 20}")
    assert "no such version" in runner.step(f"preview.sh {STACK} previews", code=1)
    runner.step(f"comment.sh previews {STACK}")
    first = github.comments[0]["body"].splitlines()[0]
    assert first == f"**`{STACK}`**: no preview: `weir:services.backend.canary.v9: no such version (versions: v1, v2)`"
    runner.edit("canary: {v9: 20}", "canary: {v2: 20}")

    assert len(github.comments) == 1
    assert [call.split()[0] for call in github.calls] == ["GET", "POST", "GET", "PATCH"]


def test_a_merge_is_applied_and_measured(cluster: Runner, github: GitHub) -> None:
    """The comment says what changes, the update brings it, requests are sent and counted, and the page of the run has
    the table.
    """
    cluster.edit("canary: {v2: 20}", "canary: {v2: 45}")
    cluster.step(f"preview.sh {STACK} previews")
    cluster.step(f"comment.sh previews {STACK}")
    [comment] = github.comments
    assert comment["body"].splitlines()[0] == f"**`{STACK}`**: `backend: v2 20 % → 45 % (v1 80 % → 55 %)`"
    assert "split v2   45 %" in cluster.step(f"up.sh {STACK}")
    assert "split v2   45 %" in cluster.summary


@soak
def test_a_policy_refuses(branch: Runner, github: GitHub) -> None:
    """A canary that leaps is refused by the preview, in the first line, and by an update, which touches nothing."""
    branch.edit("canary: {v2: 20}", "canary: {v2: 95}")
    branch.step(f"preview.sh {STACK} previews", code=1)
    branch.step(f"comment.sh previews {STACK}")
    first, _, violation, *_ = github.comments[0]["body"].splitlines()
    assert first == f"**`{STACK}`**: `backend: v2 20 % → 95 % (v1 80 % → 5 %)` – **refused** by `canary-step`"
    assert violation.startswith("- ❌ `canary-step`: ")
    assert "canary-step" in branch.step(f"up.sh {STACK}", code=1)
    route = json.loads(branch.run(f"kubectl get virtualservice backend -n {STACK} -o json"))["spec"]["http"][0]["route"]
    assert [entry["weight"] for entry in route] == [80, 20]


@soak
def test_traffic_that_is_not_as_configured_fails_the_deploy(branch: Runner) -> None:
    """Somebody has taken the pods of v2 away: the update has nothing to do, and the requests tell."""
    scale = f"kubectl scale deployment backend-v2 -n {STACK} --replicas"
    ready = f"kubectl get deployment backend-v2 -n {STACK} -o jsonpath={{.status.readyReplicas}}"
    branch.run(f"{scale} 0")
    try:
        until(lambda: not branch.run(ready), 60, "v2 has no pod")
        said = branch.step(f"up.sh {STACK}", code=3)
        assert f"stack {STACK} is applied, and its traffic is not what the config says" in said
    finally:
        branch.run(f"{scale} 1")
        until(lambda: branch.run(ready) == "1", 60, "v2 has its pod again")


@soak
def test_an_update_waits_for_another(up: Runner) -> None:
    """While somebody else holds the stack's lock it waits, and goes on once that is gone; a lock that stays is named
    with the way out.
    """
    lock = (
        up.project.directory
        / ".weir"
        / "state"
        / ".pulumi"
        / "locks"
        / "organization"
        / "weir"
        / STACK
        / "another.json"
    )
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(
        json.dumps(
            {"pid": 1, "username": "somebody", "hostname": "elsewhere", "timestamp": datetime.now(UTC).isoformat()}
        )
    )
    said = up.step(f"up.sh {STACK}", code=1, WEIR_CI_WAIT="0")
    assert f"pulumi cancel --stack {STACK}" in said

    process = up.start(f"{CI}/up.sh {STACK}", env=EMPTY)
    assert process.stdout
    told = []
    for line in process.stdout:
        told.append(line)
        if f"another update of stack {STACK} is under way; this one waits for its end" in line:
            lock.unlink()
    assert process.wait(timeout=60) == 0, "".join(told)
    assert not lock.exists()


@soak
def test_drift_is_said_in_words(cluster: Runner) -> None:
    """Nothing while all is as it should be; then somebody edits a route, scales a version, removes its subset, and
    each is told.
    """
    assert cluster.step(f"drift.sh {STACK}") == f"stack {STACK}: the cluster is what {FILE} says\n"
    cluster.run(f"kubectl patch virtualservice backend -n {STACK} --type=json -p '{TIMEOUT}'")
    said = cluster.step(f"drift.sh {STACK}", code=3)
    assert "backend: timeout removed: 5 s" in said
    assert f"pulumi up --refresh --stack {STACK}" in said
    assert "backend: timeout removed: 5 s" in cluster.summary

    cluster.run(
        f"kubectl delete destinationrule backend-v2 -n {STACK} && kubectl label deployment frontend -n {STACK} "
        "team=shop app.kubernetes.io/managed-by-"
    )
    said = cluster.step(f"drift.sh {STACK}", code=3)
    assert "backend: new version v2" in said


@soak
def test_looking_needs_no_more_than_the_guide_says(branch: Runner) -> None:
    """With the role in docs/guide/pull-requests.md, and nothing else, a preview and the drift check say all they have
    to.
    """
    guide = (CHECKOUT / "docs" / "guide" / "pull-requests.md").read_text()
    role = YAML(typ="safe").load(guide.split("```yaml\n")[1].split("```")[0])
    name = role["metadata"]["name"]
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": name},
        "subjects": [subject],
    }
    branch.apply(
        role,
        binding,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}},
    )
    try:
        config = json.loads((branch.project.directory / ".weir" / "lab" / "kubeconfig").read_text())
        config["users"][0]["user"] = {"token": branch.run(f"kubectl create token {name} -n default").strip()}
        looker = branch.project.directory / "looker"
        looker.write_text(json.dumps(config))
        can = f"KUBECONFIG={looker} kubectl auth can-i {{}} -n {STACK}"
        assert branch.run(can.format("patch virtualservices"), check=False) == "no\n"
        assert branch.run(can.format("get secrets"), check=False) == "no\n"
        branch.edit(".weir/lab/kubeconfig", "looker")
        assert "the cluster is what" in branch.step(f"drift.sh {STACK}")
        branch.edit("canary: {v2: 20}", "canary: {v2: 35}")
        branch.edit("http-echo:1.0.0", "http-echo:1.0.1")
        words = branch.step(f"preview.sh {STACK} previews")
        assert words.splitlines()[0] == f"**`{STACK}`**: `backend: v2 20 % → 35 % (v1 80 % → 65 %)`; 2 more"
        assert "- `backend: v2 image 1.0.0 → 1.0.1`" in words
    finally:
        branch.run(f"kubectl delete clusterrolebinding,clusterrole,serviceaccount {name} -n default")


def drilled(runner: Runner, end: str) -> None:
    """A drill stands in the stack file."""
    runner.edit(
        "      stable: v1 ",
        f'      drill: {{delay: {{percentage: 50, fixedDelay: 50ms}}, until: "{end}"}}\n      stable: v1 ',
    )


def drill(runner: Runner, end: str) -> None:
    """A drill stands in the cluster, and no longer in the stack file."""
    before = runner.file.read_text()
    drilled(runner, end)
    runner.run(f"pulumi up --yes --skip-preview --stack {STACK}")
    runner.file.write_text(before)


def soon(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_drill_that_was_committed_is_taken_out(branch: Runner) -> None:
    """It is over: the file loses it, and what is to be committed is shown."""
    before = branch.file.read_text()
    drilled(branch, "2020-01-01T00:00:00Z")
    said = branch.step(f"drills.sh {STACK}")
    assert "backend has no drill any more" in said
    assert "-      drill: {delay: {percentage: 50" in said
    assert f"{FILE} in the repository still has a drill that is over: commit the change above" in said
    assert branch.file.read_text() == before


@soak
def test_a_drill_of_a_lost_machine_ends(branch: Runner) -> None:
    """It stands in the cluster and not in the repository. Under way it is no drift and is let be; over, it is ended,
    and nothing else is applied by that.
    """
    before = branch.file.read_text()
    drill(branch, soon(3600))
    assert "no fault has outlived its end" in branch.step(f"drills.sh {STACK}")
    assert "the cluster is what" in branch.step(f"drift.sh {STACK}")
    end = soon(30)
    drill(branch, end)
    until(lambda: soon(0) > end, 60, "the drill is over")
    assert f"until {end}" in branch.step(f"drift.sh {STACK}", code=3)

    branch.edit("canary: {v2: 20}", "canary: {v2: 35}")
    said = branch.step(f"drills.sh {STACK}", code=3)
    assert f"backend: route default: 50 % of requests delayed 50 ms, until {end}" in said
    assert "which would also do this: backend: v2 20 % → 35 %" in said
    branch.file.write_text(before)

    assert "no fault has outlived its end" in branch.step(f"drills.sh {STACK}")
    assert (
        "fault"
        not in json.loads(branch.run(f"kubectl get virtualservice backend -n {STACK} -o json"))["spec"]["http"][0]
    )


def test_a_rollout_commits_what_it_changes(cluster: Runner, tmp_path: Path) -> None:
    """By the script of the workflow, in a repository that has nothing but the stack file: the promotion is in the
    cluster and on the branch.
    """
    # Nobody sends requests here: what cannot be decided is promoted, after two seconds.
    settings = "rollout: {steps: [50], pause: 1s, analysis: {patience: 2s, undecided: promote}}"
    cluster.edit("      stable: v1 ", f"      {settings}\n      stable: v1 ")
    origin = tmp_path / "origin"
    name = "-c user.name=a -c user.email=a@example.com"
    cluster.run(
        f"git init --quiet --bare --initial-branch=main {origin} && git init --quiet --initial-branch=main && "
        f"git add --force {FILE} && git {name} commit --quiet -m first && git remote add origin {origin} && "
        "git push --quiet origin main"
    )
    try:
        said = cluster.step(f"rollout.sh {STACK} backend v2", WEIR_CI_CHANGES="commit", GITHUB_REF_NAME="main")
        assert f"weir rollout of {STACK}: backend v2 is stable" in said
        log = cluster.run(f"git --git-dir={origin} log --format=%s main").splitlines()
        assert log == [f"weir rollout of {STACK}: backend v2 is stable", "first"]
        assert cluster.run(f"git --git-dir={origin} show main:{FILE}") == cluster.file.read_text()
        # The next job has a checkout of its own: what is on the branch by now.
        cluster.run("git fetch --quiet origin main && git reset --quiet --hard FETCH_HEAD")
        assert "nothing was due" in cluster.step(
            f"rollout.sh {STACK}", WEIR_CI_CHANGES="commit", GITHUB_REF_NAME="main"
        )
        rule = json.loads(cluster.run(f"kubectl get virtualservice backend -n {STACK} -o json"))
        shares = {each["destination"]["subset"]: each.get("weight") for each in rule["spec"]["http"][-1]["route"]}
        assert shares.get("v2", 100) == 100
    finally:
        cluster.run("rm -rf .git")


def test_a_backend_without_the_stack_says_what_to_do(up: Runner) -> None:
    """A stack that nobody created is named with the command that does."""
    (up.project.directory / "Pulumi.cinew.yaml").write_text(up.file.read_text())
    try:
        for script in ("preview.sh cinew previews", "up.sh cinew", "drift.sh cinew", "drills.sh cinew"):
            assert "pulumi stack init cinew" in up.step(script, code=1)
    finally:
        (up.project.directory / "Pulumi.cinew.yaml").unlink()


def test_without_a_backend_nothing_is_tried(up: Runner) -> None:
    """Secrets that were not set are empty texts: the step says which ones it needs."""
    assert "PULUMI_ACCESS_TOKEN" in up.step(f"drift.sh {STACK}", code=2, PULUMI_BACKEND_URL="")
