"""`weir rollback` by histories that Pulumi has written (tests/unit/engine/histories), on a pulumi that tells them and
notes what it is asked to do.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.unit.engine.test_earlier import HISTORIES, history
from tests.unit.rollout.fake_mesh import STATE
from weir.cli.rollback import command
from weir.rollout.state import as_json

# What its stack file was after update 4, the last that succeeded.
FILE = """\
config:
  weir:namespace: demo
  weir:services:
    backend:
      image: app:2
      port: 80
      env:
        LOG: debug
        PORT: 8080
        TOKEN:
          secure: v1:now:token
      versions:
        v1: {args: ["-text=one"]}
        v2:
          env:
            KEY:
              secure: v1:now:key
      stable: v1 # gets what is left
      canary: {v2: 20} # percent
      retries: {attempts: 3, perTryTimeout: 2s}
      routes:
        - {name: beta, match: [{headers: {x-user: {exact: beta}}}], stable: v2}
    shop:
      image: shop:1
      port: 80
      stable: v1
      versions:
        v1:
          replicas: 1
  weir:clusterDomain: corp.internal
"""
THIRD = FILE.replace("app:2", "app:1").replace("LOG: debug", 'LOG: {secure: "v1:then:info"}')
THIRD = THIRD.replace(
    "        v2:\n          env:\n            KEY:\n              secure: v1:now:key\n", "        v2: null\n"
)

PULUMI = f"""#!{sys.executable} -IS
import json, os, sys
from pathlib import Path
here, arguments = Path(__file__).parent, sys.argv[1:]
config = next((each.partition("=")[2] for each in arguments if each.startswith("--config-file=")), "")
with (here / "calls.jsonl").open("a") as calls:
    text = Path(config).read_text() if config else ""
    calls.write(json.dumps([arguments, text, os.environ.get("WEIR_STACK_FILE", "")]) + "\\n")
if arguments[:2] == ["stack", "history"]:
    hidden = "--show-secrets" not in arguments or (here / "locked").exists()
    print((here / ("encrypted.json" if hidden else "decrypted.json")).read_text())
elif arguments[:2] == ["config", "set"]:
    value = sys.stdin.read()
    assert value.endswith("\\n") and value[:-1] not in arguments
    copy = Path(arguments[arguments.index("--config-file") + 1])
    assert copy.read_text() == (here / "Pulumi.dev.yaml").read_text()
    copy.write_text(copy.read_text().replace("config:\\n", "config:\\n  weir:sealed: {{secure: v1:then:" + value[:-1] + "}}\\n", 1))
elif arguments[0] == "preview":
    print((here / "preview.json").read_text())
elif arguments[0] == "up":
    sys.exit(int((here / "code").read_text()))
"""
KUBECTL = """#!/bin/sh
case "$*" in *configmap*) cat "$(dirname "$0")/record.json";; *) echo '{"items": []}';; esac
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stack file as update 4 left it, and a cluster without a rollout."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(FILE)
    (tmp_path / "record.json").write_text("")
    (tmp_path / "code").write_text("0")
    for name in ("encrypted", "decrypted"):
        (tmp_path / f"{name}.json").write_text((HISTORIES / f"{name}.json").read_text())
    preview = HISTORIES.with_name("previews") / "new-image.json.gz"
    (tmp_path / "preview.json").write_bytes(gzip.decompress(preview.read_bytes()))
    for name, text in (("pulumi", PULUMI), ("kubectl", KUBECTL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
        monkeypatch.setenv(f"WEIR_TOOL_{name.upper()}", str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rollback(arguments: str) -> Result:
    """What it ends with; no secret is told by it."""
    done = CliRunner().invoke(command, [*arguments.split(), "--stack", "dev"])
    assert "hunter" not in done.output
    assert "v1:" not in done.output
    return done


def file(project: Path) -> str:
    return (project / "Pulumi.dev.yaml").read_text()


def calls(project: Path, verb: str) -> list[Any]:
    """How pulumi was asked for this: arguments, the text of the stack file to go by, and what the program is told of
    it.
    """
    noted = project / "calls.jsonl"
    written = [json.loads(line) for line in noted.read_text().splitlines()] if noted.exists() else []
    return [each for each in written if each[0][0] == verb]


def recorded(project: Path, entries: list[dict[str, Any]]) -> None:
    """This is the stack's history from now on."""
    (project / "decrypted.json").write_text(json.dumps(entries))


def refused(arguments: str, project: Path) -> str:
    """What is said; nothing was changed."""
    before = file(project)
    done = rollback(arguments)
    assert done.exception is not None
    assert file(project) == before
    assert calls(project, "up") == []
    return str(done.exception)


def test_a_service_gets_the_config_that_it_had(project: Path) -> None:
    """By the last update that succeeded with another one: the failed one and the refresh since are none."""
    done = rollback("backend --no-apply")
    assert done.exit_code == 0, done.exception
    assert file(project) == THIRD.replace('{secure: "v1:then:info"}', "{secure: v1:then:info}")
    assert done.output.splitlines() == [
        "backend of stack dev: back to update 3 (2026-11-28 02:24 UTC, weir set backend v2=20)",
        "secrets stay what they are now: backend: TOKEN",
        "become secrets, since nobody can tell whether they were: backend: LOG",
        "Pulumi.dev.yaml is changed; commit it, or apply it with pulumi up",
    ]


def test_a_rollouts_step_is_nothing_to_go_back_to(project: Path) -> None:
    """From update 3 it goes on to 1, and not to 50 %; who names the step gets it."""
    (project / "Pulumi.dev.yaml").write_text(THIRD)
    recorded(project, history()[3:])
    assert "back to update 1 (" in rollback("backend --no-apply").output
    assert "canary: {v2: 0.5} # percent" in file(project)
    assert "back to update 2 (" in rollback("backend --to 2 --no-apply").output
    assert "canary: {v2: 50} # percent" in file(project)


def test_what_is_of_no_service_stays_and_is_said(project: Path) -> None:
    """The domain of the cluster came with update 3."""
    assert (
        "stay as they are, though update 1 had others: weir:clusterDomain\n"
        in rollback("backend --to 1 --no-apply").output
    )
    assert "weir:clusterDomain: corp.internal" in file(project)


@pytest.mark.parametrize("text", [FILE, THIRD], ids=["as it was", "as it is to be"])
def test_a_rollback_that_failed_is_said_again(project: Path, text: str) -> None:
    """It goes on, whatever the file has by then, and does not bring back what it was to leave."""
    (project / "Pulumi.dev.yaml").write_text(text)
    last = {**history()[1], "message": "weir rollback backend --to 3\nby: ann@host"}
    recorded(project, [last, *history()])
    done = rollback("backend --yes")
    assert done.exit_code == 0, done.exception
    assert "back to update 3 (" in done.output
    [up] = calls(project, "up")
    assert up[1] == file(project)
    assert "image: app:1" in up[1]
    # What such an update has left in the cluster may not be in Pulumi's state.
    [refresh] = calls(project, "refresh")
    asked = [json.loads(line)[0][0] for line in (project / "calls.jsonl").read_text().splitlines()]
    assert asked.index("refresh") < asked.index("preview") < asked.index("up")
    assert {"--yes", "--skip-preview"} < set(refresh[0])


def test_a_rollback_that_succeeded_is_gone_back_from(project: Path) -> None:
    """Further back, and not to what it has left."""
    (project / "Pulumi.dev.yaml").write_text(THIRD)
    last = {**history()[3], "message": "weir rollback backend --to 3\nby: ann@host"}
    recorded(project, [last, *history()])
    assert "back to update 1 (" in rollback("backend --no-apply").output


def test_services_that_are_gone_stay_away_and_are_said(project: Path) -> None:
    """Where all services are asked for."""
    text = FILE[: FILE.index("    shop:")].replace("app:2", "app:3")
    (project / "Pulumi.dev.yaml").write_text(text)
    assert "stay away, though update 4 had them: shop\n" in rollback("--to 4 --no-apply").output
    assert file(project) == text.replace("app:3", "app:2")
    (project / "Pulumi.dev.yaml").write_text(text)
    assert "stay away" not in rollback("backend --to 4 --no-apply").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("nobody", "nobody is not a service of this stack (services: backend, shop)"),
        ("--to 7", "there is no update 7 in the history of the stack: it has 1 to 6; weir history lists them"),
        ("--to 6", "update 6 is a refresh, which applied no config; weir history --all lists all updates"),
        ("--to 5", "update 5 did not succeed (failed): what its config says may never have stood. Name one that succeeded: weir history"),
        ("--to 3", "update 3 had no service shop: going back would remove it, and nothing was changed. To remove it, take it out of Pulumi.dev.yaml and run pulumi up; to go back with others alone, name them: weir rollback SERVICE --to 3"),
        ("", "update 3 had no service shop: going back would remove it, and nothing was changed. To remove it, take it out of Pulumi.dev.yaml and run pulumi up; to go back with others alone, name them: weir rollback SERVICE --to 3"),
        ("shop", "update 3 had no service shop: going back would remove it, and nothing was changed. To remove it, take it out of Pulumi.dev.yaml and run pulumi up; to go back with others alone, name them: weir rollback SERVICE --to 3"),
        ("backend --to 3", "no terminal to ask on: use --yes to apply, or --no-apply to edit the stack file alone"),
    ],
)  # fmt: skip
def test_what_cannot_be_gone_back_to_is_refused(project: Path, arguments: str, said: str) -> None:
    """With what to do."""
    assert refused(arguments, project) == said


def test_secrets_that_nobody_can_decrypt_are_refused(project: Path) -> None:
    """By the update, with what the process needs."""
    (project / "locked").touch()
    said = refused("backend", project)
    assert said.startswith("what the services were at update 4 is not known: Pulumi cannot decrypt their secrets here.")
    assert "PULUMI_CONFIG_PASSPHRASE_FILE, or name another update: --to N" in said


@pytest.mark.parametrize("arguments", ["backend --to 4 --yes", "--to 4 --yes"])
def test_where_nothing_differs_nothing_is_done(project: Path, arguments: str) -> None:
    """Said, with exit code 0."""
    recorded(project, history()[2:])
    done = rollback(arguments)
    assert done.exit_code == 0, done.exception
    assert done.output.startswith("nothing to change: Pulumi.dev.yaml has backend")
    assert calls(project, "up") == calls(project, "preview") == []


def test_a_stack_with_one_update_has_nothing_to_go_back_to(project: Path) -> None:
    """Said, with exit code 0."""
    recorded(project, history()[2:3])
    done = rollback("--yes")
    assert (done.exit_code, done.output) == (
        0,
        "nothing to go back to: no earlier update that succeeded had another config of backend, shop; weir history "
        "--all lists all updates\n",
    )


def test_a_config_that_does_not_go_with_the_rest_is_refused(project: Path) -> None:
    """With what is wrong, in weir's words."""
    entries = history()
    then = json.loads(entries[3]["config"]["weir:services"]["value"])
    then["backend"]["canary"] = {"v9": 5}
    entries[3]["config"]["weir:services"]["value"] = json.dumps(then)
    recorded(project, entries)
    said = refused("backend --to 3 --yes", project)
    assert said.startswith(
        "the services as update 3 had them do not go with the rest of Pulumi.dev.yaml, or with this weir; nothing was "
        "changed:\n"
    )
    assert "weir:services.backend.canary.v9" in said


def test_another_image_is_shown_and_applied_by_a_whole_update(project: Path) -> None:
    """From the very text that was previewed, which becomes the stack file; the history says what and why."""
    done = rollback("backend --yes --reason PR-123")
    assert done.exit_code == 0, done.exception
    assert (HISTORIES.with_name("previews") / "new-image.txt").read_text().strip() in done.output
    [preview], [up] = calls(project, "preview"), calls(project, "up")
    assert preview[1] == up[1] == file(project)
    assert "image: app:1" in file(project)
    for arguments, _, told in (preview, up):
        assert f"--config-file={told}" in arguments
        assert not [each for each in arguments if each.startswith("--target")]
    message = up[0][up[0].index("--message") + 1].splitlines()
    assert message[:2] == ["weir rollback backend --to 3", "reason: PR-123"]
    assert not Path(up[2]).exists()


def test_a_split_alone_is_applied_as_a_release_is(project: Path) -> None:
    """It reaches the route and no pod: here the cluster has no route yet, and no preview was asked for."""
    (project / "Pulumi.dev.yaml").write_text(THIRD)
    recorded(project, history()[3:])
    said = refused("backend --to 1 --yes", project)
    assert said == "backend is not in the cluster yet, and nothing was applied; bring it there first: pulumi up"
    assert calls(project, "preview") == []


def test_programs_get_what_changes(project: Path) -> None:
    """Alone on stdout."""
    done = CliRunner().invoke(command, ["backend", "--yes", "--json", "--stack", "dev"])
    document = json.loads(done.stdout)
    assert (document["stack"], document["update"], document["services"]) == ("dev", 3, ["backend"])
    assert document["changes"] == (HISTORIES.with_name("previews") / "new-image.txt").read_text().splitlines()


def test_an_update_that_fails_says_what_stands(project: Path) -> None:
    """The file has what was to be applied; the next update goes on from there."""
    (project / "code").write_text("255")
    said = str(rollback("backend --yes").exception)
    assert "pulumi up of stack dev ended with exit code 255" in said
    assert said.splitlines()[-1] == "to go on: pulumi up --stack dev"
    assert "image: app:1" in file(project)


def test_a_rollout_that_is_under_way_is_not_overruled(project: Path) -> None:
    """By name, with the way out."""
    data = {"state": json.dumps(as_json(STATE))}
    record = {"metadata": {"name": "weir-rollout-backend", "resourceVersion": "1"}, "data": data}
    (project / "record.json").write_text(json.dumps(record))
    said = refused("backend --yes", project)
    assert said.startswith("a rollout of backend is under way and owns its split: v2 at 5 %, begun by ann@host.")
    assert "weir abort backend" in said
