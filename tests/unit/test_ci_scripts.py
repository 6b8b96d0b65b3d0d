"""The scripts of the workflows, as far as they need no cluster: the comment, the kubeconfig, the check without
secrets, the words.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.github import BOT, GitHub

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / "scripts" / "ci"
MARKER = "<!-- weir: preview of all stacks -->"
CHANGED = (
    "**`{stack}`**: `backend: v2 20 % → 50 % (v1 80 % → 50 %)`\n\n<details><summary>All "
    "changes</summary>\n\n{lines}\n\n</details>\n"
)


def machine() -> dict[str, str]:
    """The environment without what GitHub adds to it, where these tests run there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}


def run(script: str, *arguments: str, cwd: Path, code: int = 0, environment: Mapping[str, str] | None = None) -> str:
    """What a script prints on both streams, with weir on PATH as the setup action puts it there."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [str(CI / script), *arguments]
    env = {**machine(), "PATH": path, **(environment or {})}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    return GitHub.create(tmp_path / "github")


def commented(github: GitHub, words: Mapping[str, str], *stacks: str, code: int = 0, **environment: str) -> str:
    """comment.sh on these words."""
    directory = github.directory / "previews"
    directory.mkdir(exist_ok=True)
    for stack, text in words.items():
        (directory / f"{stack}.md").write_text(text)
    path = f"{github.directory}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return run(
        "comment.sh",
        "previews",
        *stacks,
        cwd=github.directory,
        code=code,
        environment={**github.environment, "PATH": path, **environment},
    )


def test_one_comment_is_written_and_then_updated(github: GitHub) -> None:
    """The first run writes it, the second changes the same one: the words of each stack in order, the first line
    first, the marker last.
    """
    commented(
        github, {"dev": "**dev**: traffic does not change", "prod": "**prod**: traffic does not change"}, "dev", "prod"
    )
    commented(
        github, {"dev": CHANGED.format(stack="dev", lines="- `backend`: …")}, "dev", "prod", COMMIT="0123456789abcdef"
    )
    [comment] = github.comments
    assert github.calls == [
        "GET repos/acme/shop/issues/7/comments",
        "POST repos/acme/shop/issues/7/comments",
        "GET repos/acme/shop/issues/7/comments",
        f"PATCH repos/acme/shop/issues/comments/{comment['id']}",
    ]
    lines = comment["body"].splitlines()
    assert lines[0] == "**`dev`**: `backend: v2 20 % → 50 % (v1 80 % → 50 %)`"
    assert "**prod**: traffic does not change" in lines
    assert "of 0123456" in lines[-2]
    assert lines[-1] == MARKER


def test_only_its_own_comment_is_updated(github: GitHub) -> None:
    """It is found behind a hundred others; one of a person that quotes it is left alone."""
    quoted = {"id": 1, "user": {"login": "somebody"}, "body": f"> {MARKER}"}
    others = [{"id": number, "user": {"login": BOT}, "body": "tests passed"} for number in range(2, 120)]
    own = {"id": 500, "user": {"login": BOT}, "body": f"old\n{MARKER}"}
    github.keep([quoted, *others, own], [])
    commented(github, {"dev": "**dev**: new"}, "dev")
    assert [entry["id"] for entry in github.comments if entry["body"].startswith("**dev**: new")] == [500]
    assert github.comments[0] == quoted
    commented(github, {"dev": "**dev**: newer"}, "dev", COMMENT_AUTHOR="release-bot")
    assert len(github.comments) == 121


def test_long_words_are_cut(github: GitHub) -> None:
    """A comment stays under 60,000 characters; the short stack keeps all its words, the long ones whole lines, and
    nothing is left open.
    """
    many = "\n".join(f"- `service-{number}: v2 20 % → 50 % (v1 80 % → 50 %)`" for number in range(2000))
    why = (
        "**`prod`**: no preview: `broken`\n\n<details><summary>Why</summary>\n\n"
        + "- ```a ``line` ```\n" * 5000
        + "\n</details>\n"
    )
    words = {
        "dev": CHANGED.format(stack="dev", lines=many),
        "staging": CHANGED.format(stack="staging", lines="- `backend: all of it`"),
        "prod": why,
    }
    commented(github, words, *words, GITHUB_SERVER_URL="https://github.example", GITHUB_RUN_ID="42")
    body = github.comments[0]["body"]
    assert 55_000 < len(body) <= 60_000
    assert words["staging"].strip() in body
    assert body.count("<details>") == body.count("</details>") == 3
    assert body.count("… and more, which [the run](https://github.example/acme/shop/actions/runs/42) has") == 2
    lines = body.splitlines()
    assert lines[-1] == MARKER
    assert all(line.endswith("50 %)`") for line in lines if line.startswith("- `service-"))


def test_a_stack_without_words_is_named(github: GitHub) -> None:
    """A job that was lost leaves no words; the comment says so in its place."""
    commented(github, {"dev": "**dev**: traffic does not change"}, "dev", "staging")
    assert "**`staging`**: no preview: the run says why" in github.comments[0]["body"]


def test_a_comment_that_cannot_be_written_fails(github: GitHub) -> None:
    """Without a token gh says what is missing, and the step fails; nothing was written."""
    said = commented(github, {"dev": "**dev**: …"}, "dev", code=1, GH_TOKEN="")
    assert "GH_TOKEN" in said
    assert github.comments == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a stack file of its own."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def test_a_kubeconfig_goes_where_the_stack_file_says(project: Path) -> None:
    """For nobody else to read, known to the steps that follow, and never over one that is there."""
    environment = {
        "KUBECONFIG_CONTENT": '{"kind": "Config"}',
        "RUNNER_TEMP": str(project / "temp"),
        "GITHUB_ENV": str(project / "env"),
    }
    run("kubeconfig.sh", "dev", cwd=project, environment=environment)
    written = project / ".weir" / "lab" / "kubeconfig"
    assert json.loads(written.read_text()) == {"kind": "Config"}
    assert written.stat().st_mode & 0o777 == 0o600
    assert (project / "env").read_text() == f"KUBECONFIG={written}\n"
    assert "is there already" in run("kubeconfig.sh", "dev", cwd=project, code=2, environment=environment)


def test_a_kubeconfig_that_no_stack_file_names(project: Path) -> None:
    """It lies in the runner's own directory, and kubectl finds it by KUBECONFIG."""
    file = project / "Pulumi.dev.yaml"
    file.write_text(
        "".join(line for line in file.read_text().splitlines(keepends=True) if "weir:kubeconfig" not in line)
    )
    environment = {
        "KUBECONFIG_CONTENT": "kind: Config",
        "RUNNER_TEMP": str(project / "temp"),
        "GITHUB_ENV": str(project / "env"),
    }
    run("kubeconfig.sh", "dev", cwd=project, environment=environment)
    assert (project / "env").read_text() == f"KUBECONFIG={project / 'temp' / 'kubeconfig'}\n"


def test_without_secrets_the_stack_files_are_checked(project: Path) -> None:
    """On GitHub the reason stands on the page of the run; a file that has errors fails the step, after all of them
    were looked at.
    """
    said = run("check.sh", "dev", cwd=project, environment={"GITHUB_ACTIONS": "true"})
    assert (
        "::notice::There is no preview: GitHub gives the repository's secrets neither to a pull request from a fork"
        in said
    )
    assert "sound" in said
    text = (project / "Pulumi.dev.yaml").read_text()
    (project / "Pulumi.bad.yaml").write_text(text.replace("canary: {v2: 20}", "canary: {v9: 20}"))
    said = run("check.sh", "bad", "dev", cwd=project, code=2)
    assert "weir:services.backend.canary.v9: no such version (versions: v1, v2)" in said
    assert "Pulumi.dev.yaml: sound" in said


def commands(log: str) -> list[str]:
    """What GitHub's runner follows in a log: lines that begin with ::, but none between stop-commands and its token."""
    found, token = [], ""
    for line in map(str.strip, log.splitlines()):
        if token:
            token = "" if line == f"::{token}::" else token
        elif line.startswith("::stop-commands::"):
            token = line.removeprefix("::stop-commands::")
        elif line.startswith("::"):
            found.append(line)
    assert token, "from the first line on, and to the last"
    return found


def test_nothing_that_others_wrote_is_a_command_to_the_runner(project: Path) -> None:
    """A log has what pulumi, weir and stack files say; only what the scripts themselves say to the runner counts."""
    (project / "weir").write_text("#!/bin/sh\necho '::warning::weir'; echo '::set-env name=A::b' >&2; exit 2\n")
    (project / "weir").chmod(0o755)
    log = run(
        "check.sh",
        "dev",
        cwd=project,
        code=2,
        environment={"GITHUB_ACTIONS": "true", "PATH": f"{project}:{os.environ['PATH']}"},
    )
    [said] = commands(log.replace("::warning::weir\n", ""))
    assert "::warning::weir" in log
    assert "::set-env" in log
    assert said.startswith("::notice::There is no preview")


def test_a_page_of_a_run_keeps_what_it_is_given_in_a_block(tmp_path: Path) -> None:
    """Three backticks in a line of it end nothing."""
    said = subprocess.run(
        [sys.executable, str(CI / "words.py"), "fenced"],
        input="a\n```\n<img>\n",
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert said.stdout == "````text\na\n```\n<img>\n````\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "name the stack: check.sh STACK"), (("devv",), "there is no Pulumi.devv.yaml")],
)
def test_a_wrong_call_is_told(project: Path, arguments: tuple[str, ...], message: str) -> None:
    """It says how the script is called, or which stacks there are."""
    said = run("check.sh", *arguments, cwd=project, code=2)
    assert message in said
    assert not arguments or "name one of these: dev" in said


def words(command: str, *arguments: str, cwd: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command_line = [sys.executable, str(CI / "words.py"), command, *arguments]
    done = subprocess.run(
        command_line, cwd=cwd, env={**machine(), "PATH": path}, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def saved(directory: Path, diagnostics: list[dict[str, str]], events: list[dict[str, Any]] | None = None) -> None:
    """What pulumi leaves of a preview of the stack dev that changes nothing."""
    (directory / "dev.json").write_text(
        json.dumps({"steps": [], "changeSummary": {"same": 20}, "diagnostics": diagnostics})
    )
    (directory / "dev.err").write_text("error: preview failed\n")
    lines = [
        json.dumps({"sequence": 0, "policyLoadEvent": {}}),
        *(json.dumps({"policyEvent": event}) for event in events or []),
    ]
    (directory / "dev.events").write_text("\n".join(lines))


def test_policies_and_warnings_stand_below_the_first_line(tmp_path: Path) -> None:
    """What refuses is in the first line; each violation is there once, without the description that all of its policy
    share.
    """
    step = {
        "policyName": "canary-step",
        "enforcementLevel": "mandatory",
        "message": "Versions rise in steps.\nbackend: v2 rises by 70 points\n",
    }
    pause = {"policyName": "pause", "enforcementLevel": "advisory", "message": "wait a day"}
    saved(
        tmp_path,
        [{"severity": "warning", "message": "warning: weir:services.backend.fault: switches retries off\n"}],
        [step, step, pause],
    )
    lines = words("preview", "dev", "dev", "1", cwd=tmp_path).splitlines()
    assert lines == [
        "**`dev`**: traffic does not change – **refused** by `canary-step`",
        "",
        "- ❌ `canary-step`: `backend: v2 rises by 70 points`",
        "- ⚠️ `pause`: `wait a day`",
        "- ⚠️ `weir:services.backend.fault: switches retries off`",
    ]


def test_a_failed_preview_says_why(tmp_path: Path) -> None:
    """The program's own words come first, that it ended is left out, and each line stands for itself."""
    said = [
        "error: weir:services.a.canary.v9: no such version\n```\n",
        "error: an unhandled error occurred: program exited\n",
    ]
    saved(tmp_path, [{"severity": "error", "message": text} for text in said])
    lines = words("preview", "dev", "dev", "1", cwd=tmp_path).splitlines()
    assert lines[0] == "**`dev`**: no preview: `weir:services.a.canary.v9: no such version`"
    assert lines[-4:] == ["- `weir:services.a.canary.v9: no such version`", "- ```` ``` ````", "", "</details>"]


def test_a_preview_that_is_none_says_what_pulumi_said(tmp_path: Path) -> None:
    """Without JSON there is still stderr."""
    saved(tmp_path, [])
    (tmp_path / "dev.json").write_text("")
    assert words("preview", "dev", "dev", "255", cwd=tmp_path).startswith(
        "**`dev`**: no preview: `error: preview failed`"
    )


def route(fault: bool, service: str = "backend") -> dict[str, Any]:
    """A VirtualService as weir writes it, with a fault that is over or without one."""
    entry: dict[str, Any] = {
        "name": "default",
        "route": [
            {
                "destination": {"host": f"{service}.demo.svc.cluster.local", "subset": "v1", "port": {"number": 80}},
                "weight": 100,
            }
        ],
    }
    if fault:
        entry["fault"] = {"delay": {"percentage": {"value": 50}, "fixedDelay": "3s"}}
    notes = {"fault-until.weir.dev/default": "2020-01-01T00:00:00Z"} if fault else {}
    spec = {"hosts": [f"{service}.demo.svc.cluster.local"], "http": [entry]}
    return {"metadata": {"name": service, "namespace": "demo", "annotations": notes}, "spec": spec}


def step(kind: str, name: str, old: dict[str, Any], new: dict[str, Any], *parts: str) -> dict[str, Any]:
    """An update in a preview."""
    states = {state: {"type": kind, "inputs": inputs} for state, inputs in (("oldState", old), ("newState", new))}
    return {
        "op": "update",
        "urn": f"urn:pulumi:dev::weir::{kind}::{name}",
        "detailedDiff": {part: {} for part in parts},
        **states,
    }


RULE = "kubernetes:networking.istio.io/v1:VirtualService"
ENDING = step(RULE, "backend", route(fault=True), route(fault=False), "spec.http[0].fault")
LABELLED = {"metadata": {"name": "frontend", "labels": {"app": "frontend"}}, "spec": {}}
WORDLESS = step(
    RULE, "other", route(fault=False, service="other"), route(fault=False, service="other"), "metadata.labels"
)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([ENDING], ""),
        (
            [ENDING, step("kubernetes:apps/v1:Deployment", "frontend", LABELLED, LABELLED, "metadata.labels")],
            "1 Deployment updated\n",
        ),
        ([ENDING, WORDLESS], "VirtualService other: update of metadata.labels\n"),
    ],
    ids=["nothing", "with words", "without words"],
)
def test_what_else_an_update_would_do(tmp_path: Path, steps: list[dict[str, Any]], told: str) -> None:
    """The end of a fault that is over is taken out of it, and nothing else is, with or without words."""
    (tmp_path / "dev.json").write_text(json.dumps({"steps": steps, "changeSummary": {"update": len(steps)}}))
    assert words("more", "dev", "dev", cwd=tmp_path) == told


def test_drift_that_has_no_words_is_named(tmp_path: Path) -> None:
    """A label that somebody changed is in no sentence about traffic; an update that would fail says why."""
    saved(tmp_path, [{"severity": "error", "message": "error: conflict with kubectl-label\n"}])
    document = json.loads((tmp_path / "dev.json").read_text())
    (tmp_path / "dev.json").write_text(json.dumps({**document, "steps": [WORDLESS]}))
    status = {
        "services": [
            {"name": "backend", "inCluster": True, "differences": []},
            {"name": "new", "inCluster": False, "differences": []},
        ]
    }
    (tmp_path / "status.json").write_text(json.dumps(status))
    assert words("drift", "dev", str(tmp_path), "1", cwd=tmp_path).splitlines() == [
        "the cluster differs from the config:",
        "new: not in the cluster",
        "an update would do this:",
        "VirtualService other: update of metadata.labels",
        "and would fail:",
        "conflict with kubectl-label",
    ]


def test_the_runner_gets_weir_on_its_path(tmp_path: Path) -> None:
    """install.sh makes what `make` makes, and the steps that follow find it."""
    (tmp_path / "path").touch()
    run("install.sh", cwd=ROOT, environment={"GITHUB_PATH": str(tmp_path / "path")})
    [added] = (tmp_path / "path").read_text().splitlines()
    assert (Path(added) / "weir").exists()
    assert (Path(added) / "python").exists()


def test_the_guide_names_what_the_workflows_read() -> None:
    """docs/guide/pull-requests.md speaks of the secrets and variables that the workflows read, and of no others."""
    guide = (ROOT / "docs" / "guide" / "pull-requests.md").read_text()
    read = set()
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        for job in YAML(typ="safe").load(file.read_text())["jobs"].values():
            for step in job["steps"]:
                for value in [*step.get("env", {}).values(), *step.get("with", {}).values()]:
                    found = str(value).removeprefix("${{ ").removesuffix(" }}")
                    if found.startswith(("secrets.", "vars.")):
                        read.add(found.split()[0].split(".")[1])
    pulumi = {"PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"}
    assert read == {"KUBECONFIG", *pulumi, "ROLLOUT_TOKEN", "WEIR_CI_CHANGES"}
    for name in read:
        assert f"`{name}`" in guide, name
