"""scripts/ci/rollout.sh with real git repositories: what a rollout changes in the stack file reaches the repository,
whatever somebody else pushes meanwhile. `weir rollout` is the one command that stands in for itself: it needs a cluster.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.github import REPOSITORY, GitHub
from tests.unit.test_ci_scripts import CI, machine
from weir.rollout.state import Phase, State, Step, for_programs

FILE = "Pulumi.prod.yaml"
SPLIT = "stable: v1, canary: {{v2: {}}}"
TEXT = """config:
  weir:namespace: shop # of the shop
  weir:services:
    backend: {image: "app:1", port: 80, versions: {v1: {}, v2: {}}, SPLIT}
    # Below is another team's.

    cart: {image: "app:1", port: 80, versions: {v1: {}}, stable: v1}
""".replace("SPLIT", SPLIT.format(0).replace("{{", "{").replace("}}", "}"))
# Does what the next line of `turns` says: an exit code, edits of the stack file as pairs, and what it prints.
WEIR = f"""#!{sys.executable}
import json, os, subprocess, sys
from pathlib import Path
if sys.argv[1] != "rollout":
    os.execv({str(Path(sys.executable).with_name("weir"))!r}, ["weir", *sys.argv[1:]])
place = Path(__file__).parent
with (place / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
turn, *left = json.loads((place / "turns").read_text())
(place / "turns").write_text(json.dumps(left))
file = Path({FILE!r})
text = file.read_text()
for old, new in turn["edits"]:
    assert text.count(old) == 1, (old, text)
    text = text.replace(old, new)
file.write_text(text)
print(turn["out"])
print(turn["err"], file=sys.stderr)
if turn["meanwhile"]:
    subprocess.run(turn["meanwhile"], shell=True, check=True)
sys.exit(turn["code"])
"""
STATE = State(
    "backend", "v2", "v1", tuple(Step(Decimal(share), 60.0) for share in (5, 25)), "weir rollout backend v2", "ann@desk",
    datetime(2026, 11, 27, 12, tzinfo=UTC), phase="step", requests=1_000, reason="PR 12",
)  # fmt: skip


def git(*arguments: str, cwd: Path) -> str:
    """What git prints."""
    return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True).stdout


def split(text: str) -> str:
    return next(line.partition("}}, ")[2].removesuffix("}") for line in text.splitlines() if "backend" in line)


@dataclass(frozen=True)
class Repository:
    """A repository somewhere, a runner's clone of it, and a colleague's."""

    directory: Path
    github: GitHub
    project: str = "."

    @property
    def runner(self) -> Path:
        return self.directory / "runner"

    @property
    def colleague(self) -> Path:
        return self.directory / "colleague"

    def turn(
        self,
        *edits: tuple[str, str],
        code: int = 0,
        state: State | None = STATE,
        meanwhile: str = "",
        out: str = "",
        err: str = "",
    ) -> None:
        """What `weir rollout` does next."""
        turns = self.directory / "bin" / "turns"
        given = out or (json.dumps(for_programs(state), indent=2) if state else "")
        turn = {"edits": edits, "code": code, "out": given, "err": err, "meanwhile": meanwhile}
        turns.write_text(json.dumps([*json.loads(turns.read_text()), turn]))

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """What the script prints on both streams, in a fresh clone as a runner has it."""
        subprocess.run(["rm", "-rf", self.runner], check=True)
        git("clone", "--quiet", "--depth=1", f"file://{self.directory}/origin", str(self.runner), cwd=self.directory)
        path = f"{self.directory}/bin:{self.github.directory}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {
            **machine(), **self.github.environment, "PATH": path, "PULUMI_BACKEND_URL": "file:///nowhere",
            "HOME": str(self.directory), "WEIR_CI_WAIT": "5", **environment,
        }  # fmt: skip
        done = subprocess.run(
            [str(CI / "rollout.sh"), "prod", *arguments],
            cwd=self.runner / self.project, env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        # Of the checkout nothing has changed but the stack file, and it has no commit that was not cloned.
        place = FILE if self.project == "." else f"{self.project}/{FILE}"
        assert git("status", "--porcelain", "--untracked-files=all", cwd=self.runner).strip() in ("", f"M {place}")
        assert git("diff", "--cached", "--name-only", cwd=self.runner) == ""
        return done.stdout + done.stderr

    def calls(self) -> list[list[str]]:
        """How `weir rollout` was called."""
        return [json.loads(line) for line in (self.directory / "bin" / "calls").read_text().splitlines()]

    def log(self, branch: str) -> list[str]:
        """The titles of the commits of a branch, the newest first; none where there is no such branch."""
        origin = self.directory / "origin"
        known = git("for-each-ref", "--format=%(refname:short)", "refs/heads", cwd=origin).split()
        return git("log", "--format=%s", branch, cwd=origin).splitlines() if branch in known else []

    def text(self, branch: str) -> str:
        """The stack file on a branch."""
        place = FILE if self.project == "." else f"{self.project}/{FILE}"
        return git("show", f"{branch}:{place}", cwd=self.directory / "origin")

    def pushed(self, old: str, new: str, title: str = "Something else") -> str:
        """The command by which a colleague changes the stack file on main."""
        return (
            f"cd {self.colleague} && git pull --quiet && sed -i 's/{old}/{new}/' {self.project}/{FILE} && "
            f"git commit --quiet -am '{title}' && git push --quiet"
        )


def repository(tmp_path: Path, project: str = ".") -> Repository:
    """With the project in a directory of it."""
    made = Repository(tmp_path, GitHub.create(tmp_path / "github"), project)
    (tmp_path / "bin").mkdir()
    for name, text in (("weir", WEIR), ("pulumi", "#!/bin/sh\n")):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "bin" / "turns").write_text("[]")
    git("init", "--quiet", "--bare", "--initial-branch=main", "origin", cwd=tmp_path)
    git("clone", "--quiet", "origin", "colleague", cwd=tmp_path)
    for key, value in (("user.name", "Bob"), ("user.email", "bob@example.com")):
        git("config", key, value, cwd=made.colleague)
    place = made.colleague / project
    place.mkdir(exist_ok=True)
    (place / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (place / FILE).write_text(TEXT)
    git("checkout", "--quiet", "-b", "main", cwd=made.colleague)
    git("add", ".", cwd=made.colleague)
    git("commit", "--quiet", "-m", "The shop", cwd=made.colleague)
    git("push", "--quiet", "-u", "origin", "main", cwd=made.colleague)
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    return repository(tmp_path)


def to(old: int, new: int) -> tuple[str, str]:
    return f"{{v2: {old}}}", f"{{v2: {new}}}"


PROMOTED = ("stable: v1, canary: {v2: 25}", "stable: v2, canary: {v1: 0}")


def at(phase: Phase, index: int = 0, **more: Any) -> State:
    return replace(STATE, phase=phase, index=index, **more)


@pytest.mark.parametrize("project", [".", "deploy"])
def test_each_step_is_a_commit(tmp_path: Path, project: str) -> None:
    """With what weir says of it; one that finds nothing due makes none."""
    shop = repository(tmp_path, project)
    shop.turn(to(0, 5))
    shop.run("backend", "v2", WEIR_CI_CHANGES="commit", WEIR_CI_REASON="PR 12")
    shop.turn()
    shop.run(WEIR_CI_CHANGES="commit")
    shop.turn(to(5, 25), state=at("step", 1))
    shop.run(WEIR_CI_CHANGES="commit")
    shop.turn(PROMOTED, state=at("promoted", 1))
    shop.run(WEIR_CI_CHANGES="commit")
    shop.turn(state=None)
    assert "weir rollout of prod: nothing was due" in shop.run(WEIR_CI_CHANGES="commit")
    assert shop.log("main") == [
        "weir rollout of prod: backend v2 is stable",
        "weir rollout of prod: backend v2 at 25 %",
        "weir rollout of prod: backend v2 at 5 %",
        "The shop",
    ]
    assert shop.text("main") == TEXT.replace("stable: v1, canary: {v2: 0}", "stable: v2, canary: {v1: 0}")
    origin = shop.directory / "origin"
    assert git("log", "-1", "--format=%B", "main~2", cwd=origin).strip().splitlines() == [
        "weir rollout of prod: backend v2 at 5 %",
        "",
        "backend: v2 takes over from v1 (weir rollout backend v2)",
        "begun by: ann@desk",
        "requests: 1,000, of which 0 failed",
        "reason: PR 12",
    ]
    assert git("log", "-1", "--format=%an %cn", "main", cwd=origin) == "github-actions[bot] github-actions[bot]\n"
    first, second, *_ = shop.calls()
    options = ["--once", "--yes", "--json", "--stack", "prod"]
    assert first == ["rollout", "backend", "v2", "--reason", "PR 12", *options]
    assert second == ["rollout", *options]


def test_an_abort_is_committed_as_well_and_fails(shop: Repository) -> None:
    """The file must not say that the version still gets requests: the next deploy would give it some."""
    shop.turn(to(0, 5))
    shop.run("backend", "v2", WEIR_CI_CHANGES="commit")
    why = "v2: 20 of 100 requests (20 %) failed"
    shop.turn(to(5, 0), code=3, state=at("aborted", hurt=20, why=why), err=f"v2 of backend was taken back: {why}")
    said = shop.run(code=3, WEIR_CI_CHANGES="commit")
    assert "stack prod: a version was taken back, or is held" in said
    assert shop.log("main")[0] == "weir rollout of prod: backend v2 is taken back"
    assert f"because: {why}" in git("log", "-1", "--format=%B", "main", cwd=shop.directory / "origin")
    assert shop.text("main") == TEXT


def test_a_version_that_is_retired_is_committed(shop: Repository) -> None:
    """It is out of the file; the message says so."""
    shop.turn(
        ("v1: {}, v2: {}", "v2: {}"),
        ("stable: v1, canary: {v2: 0}", "stable: v2"),
        state=at("promoted", 1, retired="v1 is retired"),
    )
    shop.run(WEIR_CI_CHANGES="commit")
    said = git("log", "-1", "--format=%B", "main", cwd=shop.directory / "origin")
    assert "afterwards: v1 is retired\n" in said


def test_what_was_done_before_a_failure_is_committed(shop: Repository) -> None:
    """Of two rollouts the second one failed: the first one's step is in the cluster."""
    shop.turn(to(0, 5), code=1, err="no answer")
    assert "the next run goes on" in shop.run(code=1, WEIR_CI_CHANGES="commit")
    shop.turn(to(5, 25), code=1, state=None, err="killed")
    shop.run(code=1, WEIR_CI_CHANGES="commit")
    assert shop.log("main")[:2] == ["weir rollout of prod: exit code 1", "weir rollout of prod: backend v2 at 5 %"]
    assert "canary: {v2: 25}" in shop.text("main")


def test_it_waits_for_another_update_and_keeps_what_it_has_said(shop: Repository) -> None:
    """Pulumi's lock is somebody else's for a moment; in the end it gives up, with what was changed published."""
    shop.turn(to(0, 5), code=1, err="error: the stack is currently locked by 1 lock(s)")
    shop.turn(state=None)
    shop.run("backend", "v2", WEIR_CI_CHANGES="commit")
    assert shop.log("main")[0] == "weir rollout of prod: backend v2 at 5 %"
    shop.turn(to(5, 25), code=1, state=at("step", 1), err="error: the stack is currently locked by 1 lock(s)")
    said = shop.run(code=1, WEIR_CI_CHANGES="commit", WEIR_CI_WAIT="0")
    assert "pulumi cancel --stack prod" in said
    assert shop.log("main")[0] == "weir rollout of prod: backend v2 at 25 %"


@pytest.mark.parametrize("changes", ["commit", "pull-request"])
def test_somebody_else_has_pushed_meanwhile(shop: Repository, changes: str) -> None:
    """Both changes are there, the rollout's on top of theirs, in one commit."""
    shop.turn(to(0, 5), meanwhile=shop.pushed("of the shop", "of the whole shop"))
    shop.run("backend", "v2", WEIR_CI_CHANGES=changes)
    branch = "main" if changes == "commit" else "weir-rollout-prod"
    assert shop.log(branch) == ["weir rollout of prod: backend v2 at 5 %", "Something else", "The shop"]
    text = TEXT.replace("of the shop", "of the whole shop").replace("{v2: 0}", "{v2: 5}")
    assert shop.text(branch) == text


def test_a_push_is_tried_again(shop: Repository) -> None:
    """Somebody pushes between the fetch and the push, once: the hook of the repository does it."""
    hook = shop.directory / "origin" / "hooks" / "pre-receive"
    push = shop.pushed("of the shop", "of the whole shop")
    hook.write_text(
        f"#!/bin/sh\nrm {hook}\nunset $(git rev-parse --local-env-vars) GIT_QUARANTINE_PATH\n{push}\nexit 1\n"
    )
    hook.chmod(0o755)
    shop.turn(to(0, 5))
    assert "the push was refused (try 1)" in shop.run("backend", "v2", WEIR_CI_CHANGES="commit")
    assert shop.log("main") == ["weir rollout of prod: backend v2 at 5 %", "Something else", "The shop"]


def test_a_push_that_is_always_refused_ends(shop: Repository) -> None:
    """A protected branch: the change is shown, to be committed by hand, and the job fails."""
    hook = shop.directory / "origin" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho protected branch\nexit 1\n")
    hook.chmod(0o755)
    shop.turn(to(0, 5))
    said = shop.run("backend", "v2", code=1, WEIR_CI_CHANGES="commit")
    assert said.count("the push was refused") == 5
    assert "protected branch" in said
    assert "could not be pushed to main" in said
    assert "{v2: 5}" in said.partition("could not be pushed to main")[2]


def test_two_changes_of_one_line_are_for_a_person(shop: Repository) -> None:
    """Neither is lost: theirs is in the repository, and the rollout's is shown."""
    shop.turn(to(0, 5), meanwhile=shop.pushed("{v2: 0}", "{v2: 1}"))
    said = shop.run("backend", "v2", code=1, WEIR_CI_CHANGES="commit")
    assert f"{FILE} was changed on main where the rollout changed it" in said
    assert "{v2: 5}" in said.partition("where the rollout changed it")[2]
    assert "canary: {v2: 1}" in shop.text("main")


def test_what_is_unsound_together_is_not_pushed(shop: Repository) -> None:
    """Each change for itself is sound."""
    other = shop.pushed("weir:namespace: shop", "weir:namesspace: shop", "A typo")
    shop.turn(to(0, 5), meanwhile=other)
    said = shop.run("backend", "v2", code=1, WEIR_CI_CHANGES="commit")
    assert "weir:namesspace: unknown key, did you mean namespace?" in said
    assert "would have the errors above" in said
    assert shop.log("main")[0] == "A typo"


def test_a_pull_request_has_all_steps_until_somebody_merges_it(shop: Repository) -> None:
    """One branch, one commit, one pull request, which every step brings up to date."""
    shop.turn(to(0, 5))
    shop.run("backend", "v2")
    [pull] = shop.github.pulls
    assert (pull["title"], pull["head"], pull["base"]) == (
        "weir rollout of prod: backend v2 at 5 %",
        "weir-rollout-prod",
        "main",
    )
    # Words of others cannot be markup, nor call a person.
    assert pull["body"].startswith("```text\nbackend: v2 takes over from v1 (weir rollout backend v2)\n")
    shop.turn()
    shop.run()
    assert len(shop.github.calls) == 3
    # The fresh clone has main's file; what was proposed is there all the same.
    shop.turn(to(5, 25), state=at("step", 1))
    shop.run()
    shop.turn(PROMOTED, state=at("promoted", 1))
    shop.run()
    [pull] = shop.github.pulls
    assert pull["title"] == "weir rollout of prod: backend v2 is stable"
    shop.turn(state=None)
    shop.run()
    assert shop.github.pulls == [pull]
    assert shop.log("weir-rollout-prod") == [pull["title"], "The shop"]
    assert "stable: v2, canary: {v1: 0}" in shop.text("weir-rollout-prod")
    assert shop.text("main") == TEXT


def test_a_proposal_that_was_merged_is_gone(shop: Repository) -> None:
    """The next step is proposed on top of it."""
    shop.turn(to(0, 5))
    shop.run("backend", "v2")
    git("fetch", "--quiet", "origin", cwd=shop.colleague)
    git("merge", "--quiet", "--no-ff", "-m", "Merged", "origin/weir-rollout-prod", cwd=shop.colleague)
    git("push", "--quiet", "origin", "main", cwd=shop.colleague)
    shop.turn()
    shop.run()
    assert shop.log("weir-rollout-prod") == []
    shop.turn(to(5, 25), state=at("step", 1))
    shop.run()
    assert shop.log("weir-rollout-prod")[:2] == ["weir rollout of prod: backend v2 at 25 %", "Merged"]


def test_a_proposal_that_an_abort_makes_idle_is_taken_back(shop: Repository) -> None:
    """Nobody can merge the step of a version that was taken back."""
    shop.turn(to(0, 5))
    shop.run("backend", "v2")
    shop.turn(to(5, 0), code=3, state=at("aborted", why="worse"))
    shop.run(code=3)
    assert shop.log("weir-rollout-prod") == []
    assert shop.log("main") == ["The shop"]


def test_a_proposal_that_no_longer_fits_is_replaced(shop: Repository) -> None:
    """Somebody has changed the same line on main: traffic does not wait for the two to be brought together."""
    shop.turn(to(0, 5))
    shop.run("backend", "v2")
    subprocess.run(shop.pushed("{v2: 0}", "{v2: 1}"), shell=True, check=True)
    shop.turn(to(1, 25), state=at("step", 1))
    said = shop.run()
    assert f"proposes for {FILE} no longer fits onto main" in said
    assert shop.log("weir-rollout-prod") == ["weir rollout of prod: backend v2 at 25 %", "Something else", "The shop"]
    assert "{v2: 25}" in shop.text("weir-rollout-prod")
    assert len(shop.github.pulls) == 1


def test_a_pull_request_that_could_not_be_opened_is_opened_by_the_next_run(shop: Repository) -> None:
    """The branch has the change already."""
    shop.turn(to(0, 5))
    said = shop.run("backend", "v2", code=1, GITHUB_REPOSITORY="acme/other")
    assert "it is not known whether there is a pull request for it" in said
    assert shop.log("weir-rollout-prod")[0] == "weir rollout of prod: backend v2 at 5 %"
    shop.turn(state=None)
    shop.run()
    assert [pull["title"] for pull in shop.github.pulls] == ["weir rollout of prod: backend v2 at 5 %"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WEIR_CI_CHANGES": "merge"}, "WEIR_CI_CHANGES is merge; it has to be commit or pull-request"),
        ({"GITHUB_REPOSITORY": ""}, "GITHUB_REPOSITORY: has to be OWNER/NAME, for the pull request"),
        ({"PULUMI_BACKEND_URL": ""}, "where Pulumi keeps the state is not known"),
    ],
)
def test_nothing_is_begun_that_could_not_be_kept(shop: Repository, environment: dict[str, str], said: str) -> None:
    """`weir rollout` was not called."""
    code = 1 if "GITHUB_REPOSITORY" in environment else 2
    assert said in shop.run(code=code, **environment)
    assert not (shop.directory / "bin" / "calls").exists()


def test_several_rollouts_have_one_commit(shop: Repository) -> None:
    """Those of one run, and services that go through their steps as one."""
    cart, web = (for_programs(replace(STATE, service=name, reason="")) for name in ("cart", "web"))
    both = f"{json.dumps(for_programs(STATE), indent=2)}\n{json.dumps({'services': [cart, web]}, indent=2)}"
    shop.turn(to(0, 5), out=both)
    shop.run(WEIR_CI_CHANGES="commit")
    assert shop.log("main")[0] == "weir rollout of prod: backend v2 at 5 %, cart v2 at 5 %, web v2 at 5 %"
    assert REPOSITORY == "acme/shop"
