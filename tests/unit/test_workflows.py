"""The workflows: sound by actionlint and zizmor, pinned, with least rights, and about the stacks that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.progress import Progress
from lab.tools.catalog import PULUMI_VERSION
from lab.tools.toolset import find_checker

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, *sorted((ROOT / ".github" / "actions").rglob("action.yml"))]
SCRIPTS = sorted((ROOT / "scripts" / "ci").glob("*.sh"))
STACKS = ["dev", "staging", "prod"]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
RUN = re.compile(r"scripts/ci/(?P<script>[\w-]+\.sh)( [\w$\"-]+)*|make test-fast")


def load(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text())
    # YAML 1.1 takes the key `on` for a truth value.
    return {"on" if key is True else key: value for key, value in content.items()}


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(path)["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    content = load(path)
    return [step for job in content.get("jobs", {"": content.get("runs")}).values() for step in job["steps"]]


def zizmor(directory: Path) -> subprocess.CompletedProcess[str]:
    """Every audit that needs no network, at its strictest."""
    command = [
        str(Path(sys.executable).with_name("zizmor")),
        "--offline",
        "--persona",
        "auditor",
        "--strict-collection",
        ".github",
    ]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)


def actionlint(directory: Path) -> subprocess.CompletedProcess[str]:
    """It looks at the workflows of the repository around the working directory. Without shellcheck, which not every
    machine has.
    """
    command = [str(find_checker("actionlint", Progress())), "-shellcheck=", "-pyflakes=", "-no-color"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository of its own with the workflows, to break them."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    (tmp_path / ".git").mkdir()  # by which actionlint knows the root of a repository
    return tmp_path


def test_zizmor_finds_nothing() -> None:
    """No finding of any severity."""
    done = zizmor(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout + done.stderr


def test_actionlint_finds_nothing(copy: Path) -> None:
    """Syntax, expressions, inputs of actions, permissions and schedules are what GitHub takes."""
    done = actionlint(copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "tool", "finding"),
    [
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", zizmor, "unpinned-uses"),
        ('preview.sh "$STACK"', "preview.sh ${{ github.head_ref }}", zizmor, "template-injection"),
        ("permissions: {}", "permissions: write-all", zizmor, "excessive-permissions"),
        ("  pull_request:", "  pull_request_target:", zizmor, "dangerous-triggers"),
        ("${{ matrix.stack }}", "${{ matrix.stak }}", actionlint, 'property "stak" is not defined'),
        ("needs: preview", "needs: previews", actionlint, "previews"),
        (
            "stack: ${{ matrix.stack }}\n          kube",
            "stck: ${{ matrix.stack }}\n          kube",
            actionlint,
            'input "stck" is not defined',
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_a_mistake_is_found(copy: Path, old: str, new: str, tool: Any, finding: str) -> None:
    """The two checks see what they are there for."""
    file = copy / ".github" / "workflows" / "preview.yml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    done = tool(copy)
    assert done.returncode != 0
    assert finding in done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT / ".github")))
def test_every_action_is_pinned(file: Path) -> None:
    """Each is one of this repository, or stands there by commit hash with its version beside it, and is the same
    everywhere.
    """
    used = [line.split("uses: ", 1)[1] for line in file.read_text().splitlines() if "uses: " in line]
    assert len(used) == sum("uses" in step for step in steps(file))
    everywhere = "\n".join(each.read_text() for each in FILES)
    for use in used:
        if use.startswith("./"):
            assert (ROOT / use / "action.yml").exists(), use
            continue
        assert PINNED.fullmatch(use), use
        name = use.split("@")[0]
        assert set(re.findall(rf"uses: ({name}@.*)", everywhere)) == {use}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_rights_are_the_least(file: Path) -> None:
    """A workflow has none, its jobs may read the checkout, and the one that comments may write to pull requests; that
    of rollouts may commit what they change. None keeps its token on disk.
    """
    content = load(file)
    assert content["permissions"] == {}
    more = {
        ("preview.yml", "comment"): {"pull-requests": "write"},
        ("rollout.yml", "rollout"): {"contents": "write", "pull-requests": "write"},
    }
    for name, job in jobs(file).items():
        assert job["permissions"] == {"contents": "read", **more.get((file.name, name), {})}, name
        assert job["timeout-minutes"] <= 60, name
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT / ".github")))
def test_steps_run_scripts(file: Path) -> None:
    """What a step does stands in scripts/ci, where tests run it; nothing is written into its command line but by the
    environment.
    """
    for step in steps(file):
        if "run" in step:
            found = RUN.fullmatch(step["run"])
            assert found, step["run"]
            assert not found["script"] or ROOT / "scripts" / "ci" / found["script"] in SCRIPTS


def test_every_script_is_used() -> None:
    """Each is called by a workflow, but for the one that the others read."""
    called = " ".join(step.get("run", "") for file in FILES for step in steps(file))
    assert {script.name for script in SCRIPTS} == {*re.findall(r"scripts/ci/([\w-]+\.sh)", called), "common.sh"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_say_what_they_need(script: Path) -> None:
    """Each ends at the first error, and its head says what it does, how it is called and what it needs."""
    text = script.read_text()
    subprocess.run(["bash", "-n", script], check=True)
    if script.name == "common.sh":
        return
    head = text.split("set -euo pipefail\n")[0].splitlines()
    assert head[0] == "#!/usr/bin/env bash"
    assert all(line.startswith("#") or not line for line in head)
    assert any(line.startswith(f"#   {script.name}") for line in head)
    assert any(line.startswith("# Needs ") for line in head)
    assert script.stat().st_mode & 0o111


def test_every_stack_is_previewed_watched_and_deployed() -> None:
    """The workflows know the stacks of the stack files, and no other."""
    there = {path.name for path in ROOT.glob("Pulumi.*.yaml")}
    # A stack file of one's own, which is not committed, is nobody else's matter.
    git = shutil.which("git")
    committed = (
        subprocess.run([git, "ls-files", "Pulumi.*.yaml"], cwd=ROOT, capture_output=True, text=True).stdout.split()
        if git
        else []
    )
    assert {*committed} <= {f"Pulumi.{stack}.yaml" for stack in STACKS} <= there
    for name in ("preview", "watch"):
        for job in jobs(ROOT / ".github" / "workflows" / f"{name}.yml").values():
            if "strategy" in job:
                assert job["strategy"] == {"fail-fast": False, "matrix": {"stack": STACKS}}
                assert job["environment"]["name"].startswith("${{ matrix.stack }}-")
                # An environment of a job that brings nothing out must not look like one that does.
                assert job["environment"]["deployment"] is False
    runs = " ".join(step.get("run", "") for step in steps(ROOT / ".github" / "workflows" / "preview.yml"))
    assert f"comment.sh previews {' '.join(STACKS)}" in runs
    assert f"check.sh {' '.join(STACKS)}" in runs


def test_rollouts_go_on_by_themselves_and_one_at_a_time() -> None:
    """On a schedule in every stack, by hand in one that there is, and never two of a stack at once."""
    workflow = ROOT / ".github" / "workflows" / "rollout.yml"
    on, job = load(workflow)["on"], jobs(workflow)["rollout"]
    assert on["schedule"]
    assert on["workflow_dispatch"]["inputs"]["stack"]["options"] == STACKS
    every = ", ".join(f'"{stack}"' for stack in STACKS)
    chosen = "inputs.stack && format('[\"{0}\"]', inputs.stack)"
    assert job["strategy"]["matrix"] == {"stack": f"${{{{ fromJSON({chosen} || '[{every}]') }}}}"}
    assert job["concurrency"] == {"group": "rollout-${{ matrix.stack }}", "cancel-in-progress": False}
    assert job["environment"] == {"name": "${{ matrix.stack }}-rollout", "deployment": False}
    assert job["steps"][-1]["run"] == 'scripts/ci/rollout.sh "$STACK" "$SERVICE" "$VERSION"'


def test_a_merge_goes_from_stack_to_stack() -> None:
    """dev, then staging, then prod, each through its environment, one at a time and never broken off."""
    deploy = ROOT / ".github" / "workflows" / "deploy.yml"
    assert load(deploy)["on"] == {"push": {"branches": ["main"]}}
    found = jobs(deploy)
    assert list(found) == STACKS
    for before, name in zip([None, *STACKS], STACKS, strict=False):
        job = found[name]
        assert job.get("needs") == before
        assert job["environment"] == name
        assert job["concurrency"] == {"group": f"deploy-{name}", "cancel-in-progress": False}
        assert job["steps"][-1]["run"] == f"scripts/ci/up.sh {name}"


def test_a_pull_request_from_a_fork_is_told_why() -> None:
    """Of the two conditions on pull requests exactly one is true, whoever opened it; and no workflow runs with secrets
    for a fork.
    """
    preview = jobs(ROOT / ".github" / "workflows" / "preview.yml")
    own, other = preview["preview"]["if"], preview["check"]["if"]
    opposite = {"==": "!=", "!=": "==", "&&": "||"}
    assert " ".join(opposite.get(word, word) for word in own.split()) == other
    assert "secrets." not in str(preview["check"])
    for file in WORKFLOWS:
        assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(load(file)["on"]), file


def test_the_runner_gets_the_pulumi_of_the_lab() -> None:
    """One version of Pulumi in the lab, in the requirements and in the workflows."""
    [step] = [
        step
        for step in steps(ROOT / ".github" / "actions" / "setup" / "action.yml")
        if "pulumi/actions" in step.get("uses", "")
    ]
    assert step["with"]["pulumi-version"] == PULUMI_VERSION
    assert f"\npulumi=={PULUMI_VERSION} " in (ROOT / "requirements.txt").read_text()
