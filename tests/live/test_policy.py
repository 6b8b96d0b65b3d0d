"""The guardrails in the hands of the real engine: the example stacks pass, and what must not reach production is
refused, by preview and update.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.live.harness import CHECKOUT, Project, discard
from tests.live.lossless.conftest import soak

PACK = "--policy-pack policy"
PASSED = "✅ weir@v"
UNPROVEN = (
    "backend: v2 would take over from v1, and no rollout has shown that it is no worse: leave v1 stable, then weir "
    "rollout backend v2 --stack prod"
)
Change = tuple[str, str]


def written(project: Project, stack: str, *changes: Change) -> None:
    """The stack file of the checkout in the project, with some of its text replaced."""
    text = (CHECKOUT / f"Pulumi.{stack}.yaml").read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (project.directory / f"Pulumi.{stack}.yaml").write_text(text)


def pulumi(project: Project, command: str, *changes: Change, stack: str = "prod", code: int = 0) -> str:
    """What pulumi prints when it is run with the policy pack on the stack file with these changes."""
    written(project, stack, *changes)
    done = project.run(f"pulumi {command} --stack {stack} {PACK}", check=False)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    return said


@pytest.fixture(scope="module")
def project(lab: Project) -> Iterator[Project]:
    """The lab's project with the pack and the example stacks, none of them up."""
    (lab.directory / "policy").symlink_to(CHECKOUT / "policy")
    for stack in ("staging", "prod"):
        written(lab, stack)
        lab.run(f"pulumi stack init {stack} --no-select")
    yield lab
    for stack in ("staging", "prod"):
        discard(lab, stack, f"demo-{stack}")
    (lab.directory / "policy").unlink()


@pytest.fixture(scope="module")
def up(project: Project) -> Project:
    """Production is up, with v2 at 5 %; the pack has let it pass."""
    assert PASSED in pulumi(project, "up --yes --skip-preview")
    return project


def weights(project: Project) -> dict[str, int]:
    """What production's route in the cluster has."""
    spec = json.loads(project.run("kubectl get virtualservice backend -n demo-prod -o json").stdout)["spec"]
    return {entry["destination"]["subset"]: entry["weight"] for entry in spec["http"][-1]["route"]}


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_examples_pass(project: Project, stack: str) -> None:
    """Every rule was asked, and none has anything to say."""
    said = pulumi(project, "preview", stack=stack)
    assert PASSED in said
    assert "[mandatory]" not in said
    assert "[advisory]" not in said


@soak
def test_a_fault_in_production_needs_an_end(project: Project) -> None:
    """Without one the preview fails and says what to write; with one it passes, and so does staging without."""
    before = "      timeout: 10s"
    endless = (before, f"      fault: {{abort: {{percentage: 1, httpStatus: 503}}}}\n{before}")
    said = pulumi(project, "preview", endless, code=1)
    assert "[mandatory]  fault-has-end  (kubernetes:networking.istio.io/v1:VirtualService: backend)" in said
    assert (
        "backend: the fault of route default has no end (1 % of requests aborted with 503); say when it ends, until:"
        in said
    )
    ending = (
        before,
        f'      fault: {{abort: {{percentage: 1, httpStatus: 503}}, until: "2999-01-01T00:00:00Z"}}\n{before}',
    )
    assert PASSED in pulumi(project, "preview", ending)
    assert PASSED in pulumi(project, "preview", endless, stack="staging")


def test_a_stack_whose_namespace_is_not_known_yet_passes(project: Project) -> None:
    """The first preview of an ephemeral stack knows no host, and no rule stumbles over that."""
    said = pulumi(
        project,
        "preview",
        ("  weir:namespace: demo-staging", "  weir:ephemeral: true\n  weir:namespace: demo-staging"),
        stack="staging",
    )
    assert PASSED in said
    assert "can't run policy" not in said


def test_what_a_config_can_get_wrong_is_refused_all_at_once(project: Project) -> None:
    """One preview names every rule that is broken, those about the stack as a whole included."""
    said = pulumi(
        project,
        "preview",
        ("      replicas: 2", "      replicas: 1"),
        ("      timeout: 10s", "      timeout: 5s"),
        ("curlimages/curl:7.88.1", "curlimages/curl:latest"),
        ('v2: {args: ["-text=Hello from Backend v2"]}', "v2: {securityContext: {allowPrivilegeEscalation: true}}"),
        (
            "  weir:clients:",
            "      expose: {gateways: [istio-ingress/public], hosts: ['*.example.com']}\n  weir:clients:",
        ),
        code=1,
    )
    for rule, message in {
        "replicas-for-share": "backend: v1 gets 95 % of the requests and has replicas: 1; above 20 % it needs at least 2",
        "retries-within-timeout": "of perTryTimeout 2s take 8 s, and timeout is 5s; raise timeout, or lower attempts or perTryTimeout",
        "image-pinned": 'client frontend: image "curlimages/curl:latest" has the tag latest; name a version',
        "restricted-pods": "backend v2: securityContext.allowPrivilegeEscalation must be false, was true",
        "no-wildcard-host": 'backend: expose.hosts has "*.example.com", a wildcard; name each host',
    }.items():
        assert f"[mandatory]  {rule}  (" in said
        assert message in said


def test_a_step_too_large_is_refused_and_reaches_nobody(up: Project) -> None:
    """By an update, however often, and by a preview: the route in the cluster stays as it was. What the message says
    to do passes.
    """
    jump = ("canary: {v2: 5}", "canary: {v2: 60}")
    message = (
        "backend: v2 would go from 5 % to 60 %, which is 55 points more; at most 25 points at a time: leave v1 stable "
        "and go in steps, weir set backend v2=30 --stack prod first"
    )
    assert message in pulumi(up, "up --yes --skip-preview", jump, code=1)
    # The refused update has written its outputs all the same: whatever compares with those lets the second one pass.
    assert message in pulumi(up, "up --yes --skip-preview", jump, code=1)
    assert message in pulumi(up, "preview", jump, code=1)
    assert weights(up) == {"v1": 95, "v2": 5}
    assert PASSED in pulumi(up, "preview", ("canary: {v2: 5}", "canary: {v2: 30}"))


@soak
def test_a_route_around_the_canary_is_refused(up: Project) -> None:
    """A new route of everybody before the default one is a step to 100 %, and reaches nobody; one of testers passes."""
    before = "      timeout: 10s"
    everybody = (before, f'      routes: [{{name: all, match: [{{uri: {{regex: ".*"}}}}], stable: v2}}]\n{before}')
    message = (
        "backend: v2 would go from 5 % to 100 % of the requests that route all takes and route default took before, "
        "which is 95 points more"
    )
    assert message in pulumi(up, "up --yes --skip-preview", everybody, code=1)
    assert weights(up) == {"v1": 95, "v2": 5}
    testers = (
        before,
        f"      routes: [{{name: beta, match: [{{headers: {{x-user: {{exact: beta}}}}}}], stable: v2}}]\n{before}",
    )
    assert PASSED in pulumi(up, "preview", testers)


@soak
def test_promotion_is_a_step_and_an_abort_is_none(up: Project) -> None:
    """All to the new version at once is refused; all back to the one that was stable passes."""
    promoted = [("stable: v1", "stable: v2"), ("canary: {v2: 5}", "canary: {v1: 0}")]
    said = pulumi(up, "preview", *promoted, code=1)
    assert "backend: v2 would go from 5 % to 100 %, which is 95 points more" in said
    assert UNPROVEN in said
    assert PASSED in pulumi(up, "preview", ("canary: {v2: 5}", "canary: {v2: 0}"))


def test_a_release_asks_the_pack_as_well(up: Project) -> None:
    """Where the stack says so, as production does: what a pull request may not do, `weir set` does not; the cluster
    and the file stay as they were.
    """
    written(up, "prod")
    file = up.directory / "Pulumi.prod.yaml"
    before = file.read_text()
    done = up.run("weir set backend v2=50 --yes --stack prod", check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "backend: v2 would go from 5 % to 50 %, which is 45 points more" in said
    assert "nothing was applied: traffic is unchanged" in said
    assert weights(up) == {"v1": 95, "v2": 5}
    assert file.read_text() == before
    try:
        up.run("weir set backend v2=30 --yes --stack prod")
        assert weights(up) == {"v1": 70, "v2": 30}
        # What takes something back asks nobody: a step of any size.
        up.run("weir abort backend --yes --stack prod")
        assert weights(up).get("v2", 0) == 0
    finally:
        assert PASSED in pulumi(up, "up --yes --skip-preview")
    assert weights(up) == {"v1": 95, "v2": 5}


@soak
def test_a_version_takes_over_by_a_rollout(up: Project) -> None:
    """`weir promote` is refused however small the step is, a rollout's promotion is not, and no update after it is."""
    written(up, "prod", ("canary: {v2: 5}", "canary: {v2: 30}"))
    file = up.directory / "Pulumi.prod.yaml"
    try:
        for share in (30, 55, 80):
            up.run(f"weir set backend v2={share} --yes --stack prod")
        done = up.run("weir promote backend v2 --yes --stack prod", check=False)
        assert done.returncode == 1
        assert UNPROVEN in done.stdout + done.stderr
        assert weights(up) == {"v1": 20, "v2": 80}
        # Nobody sends requests here: what cannot be decided is promoted, so that the policy alone has a say.
        text = file.read_text()
        settings = "rollout: {steps: [80], pause: 1s, analysis: {patience: 2s, undecided: promote}}"
        file.write_text(re.sub(r"rollout: \{.*\}", settings, text))
        up.run("weir rollout backend v2 --yes --stack prod")
        assert weights(up).get("v2") == 100
        promoted = [("stable: v1", "stable: v2"), ("canary: {v2: 5}", "canary: {v1: 0}")]
        assert PASSED in pulumi(up, "preview", *promoted)
        # A file that never heard of it would take it back, unseen.
        assert "backend: v1 would take over from v2" in pulumi(up, "preview", ("canary: {v2: 5}", "canary: {}"), code=1)
    finally:
        written(up, "prod")
        up.run("pulumi up --yes --skip-preview --stack prod")
    assert weights(up) == {"v1": 95, "v2": 5}


@soak
def test_the_rules_take_their_config_from_a_file(up: Project) -> None:
    """Another number of points lets the step pass, and another number of pods refuses it."""
    (up.directory / "policy.json").write_text(
        json.dumps({"canary-step": {"maxPoints": 55}, "replicas-for-share": {"minReplicas": 3}})
    )
    said = pulumi(up, "preview --policy-pack-config policy.json", ("canary: {v2: 5}", "canary: {v2: 60}"), code=1)
    assert "canary-step" not in said
    assert "backend: v2 gets 60 % of the requests and has replicas: 2; above 20 % it needs at least 3" in said
