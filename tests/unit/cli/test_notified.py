"""Whom the config has told of a rollout: addresses in the clear, and those that Pulumi decrypts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rollout.fake_mesh import KUBECTL, STATE
from tests.unit.rollout.test_notify import PATH, chats, quick  # noqa: F401 - fixtures
from weir.cli.context import Context
from weir.cli.notified import notified
from weir.cli.under_way import UnderWay
from weir.cluster.kubectl import Kubectl
from weir.rollout import record
from weir.rollout.state import State

# Decrypts what it is asked for, or ends as Pulumi does without the passphrase.
PULUMI = f"""#!{sys.executable} -IS
import sys
from pathlib import Path
here = Path(__file__).parent
with (here / "calls").open("a") as calls:
    print(*sys.argv[1:], file=calls)
if not (here / "address").exists():
    sys.exit("error: incorrect passphrase")
print((here / "address").read_text())
"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A stack of which somebody is told of aborts by an address that is a secret."""
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n  weir:namespace: demo\n  weir:notify: [{url: {secure: 'v1:a'}, events: [abort]}]\n"
    )
    (tmp_path / "pulumi").write_text(PULUMI)
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("WEIR_TOOL_PULUMI", str(tmp_path / "pulumi"))
    monkeypatch.chdir(tmp_path)
    return Context("dev")


def test_an_address_is_decrypted_by_pulumi(
    context: Context,
    chats: Any,  # noqa: F811
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """When there is something to tell, and not before."""
    chat = chats(200)
    (tmp_path / "address").write_text(chat.url)
    with notified(context) as told:
        told(STATE)
        assert not (tmp_path / "calls").exists()
        told(replace(STATE, phase="aborted", why="odd"))
    [(path, _, body)] = chat.got
    assert (path, body["event"], body["why"], body["namespace"], body["stack"]) == (PATH, "abort", "odd", "demo", "dev")
    assert (tmp_path / "calls").read_text().startswith("config get --path weir:notify[0].url --stack dev ")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (None, "weir:notify[0].url is a secret that Pulumi cannot decrypt here (incorrect passphrase); give this process what the stack's secrets need, such as PULUMI_CONFIG_PASSPHRASE_FILE"),
        ("ftp://a/hunter2", "must be an address that begins with https:// or http:// and a host, such as https://hooks.example.com/services/T0"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_said_at_the_end(
    context: Context, tmp_path: Path, capfd: pytest.CaptureFixture[str], address: str | None, why: str
) -> None:
    """On stderr, with what to do; nothing fails of it."""
    if address:
        (tmp_path / "address").write_text(address)
    with notified(context) as told:
        told(replace(STATE, phase="aborted"))
    assert capfd.readouterr() == ("", f"warning: weir:notify[0] was not told of abort: {why}\n")


def test_an_abort_hands_out_what_it_has_ended(tmp_path: Path) -> None:
    """For whoever is told of it; of what is over already there is nothing to tell."""
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    kubectl = Kubectl(str(tmp_path / "kubectl"), "demo")

    def ended() -> list[State]:
        return UnderWay(kubectl, ["backend"], ends=True).end("weir abort backend")

    assert ended() == []
    record.write(kubectl, [STATE], {})
    assert ended() == [replace(STATE, phase="aborted", why="weir abort backend")]
    assert ended() == []
