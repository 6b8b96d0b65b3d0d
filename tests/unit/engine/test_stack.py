"""What is said where pulumi itself is what stands in the way."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from weir.engine.applied import applied
from weir.engine.errors import EngineError, NoStackError
from weir.engine.stack import Stack

PULUMI = f"""#!{sys.executable} -IS
import sys
if sys.argv[1] == "version":
    print("VERSION")
else:
    print("error: WORDS", file=sys.stderr)
    sys.exit(CODE)
"""


def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str, version: str = "v99.0.0") -> Stack:
    """A stack whose pulumi fails so."""
    tool = tmp_path / "pulumi"
    tool.write_text(PULUMI.replace("CODE", str(code)).replace("WORDS", words).replace("VERSION", version))
    tool.chmod(0o755)
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    monkeypatch.setenv("WEIR_TOOL_PULUMI", str(tool))
    return Stack("dev", tmp_path)


def test_a_stack_that_was_never_initialised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was asked: nothing was done, and what to type."""
    target = stack(tmp_path, monkeypatch, 6, "no stack named 'dev' found")
    for ask in (target.up, target.preview, target.history, target.unlock, lambda: target.output("namespace")):
        with pytest.raises(
            NoStackError, match=r"stack dev does not exist .* nothing was done; to create it: pulumi stack init dev"
        ):
            ask()


def test_an_old_pulumi_is_named_with_the_version_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails in many ways; which is the first one's cause it does not say."""
    target = stack(tmp_path, monkeypatch, 255, "unknown flag: --client", "v3.100.0")
    for ask in (target.up, target.preview, target.history):
        with pytest.raises(EngineError, match=r"pulumi on PATH is 3\.100\.0, and weir needs 3\.\d+\.\d+ or newer"):
            ask()
    with pytest.raises(EngineError) as failed:
        stack(tmp_path, monkeypatch, 255, "no").up()
    assert "or newer" not in str(failed.value)


# What pulumi does with these options, and without them (pulumi stack history --help).
HISTORY = f"""#!{sys.executable} -IS
import json, sys
given = dict(each.split("=") for each in sys.argv if "=" in each)
size, page = int(given.get("--page-size", 10)), int(given.get("--page", 1))
updates = [{{"version": 0, "message": str(number)}} for number in range(COUNT, 0, -1)]
print(json.dumps(updates[(page - 1) * size : page * size]))
"""


@pytest.mark.parametrize("count", [0, 9, 11, 100, 250])
def test_no_update_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Updates are counted, and gone back to by their number: of more than ten pulumi tells the newest ten unasked."""
    target = stack(tmp_path, monkeypatch, 0, "")
    (tmp_path / "pulumi").write_text(HISTORY.replace("COUNT", str(count)))
    wanted = [str(number) for number in range(count, 0, -1)]
    assert [each["message"] for each in target.history()] == wanted
    assert [each["message"] for each in target.revealed_history()] == wanted
    for newest in (1, 5, 120):
        assert [each["message"] for each in target.history(newest)] == wanted[:newest]


def test_what_was_applied_last() -> None:
    """The last update that succeeded, after those that failed since; not what a preview ran with, nothing after a
    destroy, none that was not decrypted.
    """

    def entry(kind: str, result: str, share: int, hidden: bool = False) -> dict[str, object]:
        services = (
            {"secret": True} if hidden else {"value": f'{{"a": {{"canary": {{"v2": {share}}}}}}}', "secret": False}
        )
        return {"kind": kind, "result": result, "config": {"weir:services": services, "aws:region": {"secret": True}}}

    history = [
        entry("preview", "succeeded", 1), entry("update", "failed", 2), entry("update", "failed", 3, hidden=True),
        entry("refresh", "succeeded", 4), entry("update", "succeeded", 5), entry("update", "succeeded", 6),
    ]  # fmt: skip
    assert [config["weir:services"]["a"]["canary"]["v2"] for config in applied(history, {})] == [2, 5]
    assert list(applied([entry("update", "succeeded", 1, hidden=True)], {})) == []
    assert list(applied([entry("destroy", "succeeded", 7), *history], {})) == []


def test_what_was_applied_has_no_secret() -> None:
    """What was decrypted goes into no file: of variables those that the stack file has in the clear stay, and those
    that it has encrypted are so.
    """
    cipher = {"secure": "v1:a"}
    env = {"PLAIN": "a", "TOKEN": "hunter2", "OLD": "hunter2", "GONE": "hunter2", "LONG": {"value": "hunter2"}}
    then = {
        "a": {"image": "app:1", "env": env, "versions": {"v1": {"env": {"TOKEN": "hunter2"}}, "v2": None}},
        "env": {"image": "app:1"},
    }
    entry = {
        "kind": "update",
        "result": "succeeded",
        "config": {"weir:services": {"value": json.dumps(then), "secret": True}},
    }
    now = {
        "a": {
            "image": "app:2",
            "env": {"PLAIN": "a", "TOKEN": cipher, "OLD": "b", "LONG": cipher},
            "versions": {"v1": {"env": {"TOKEN": cipher}}},
        }
    }
    assert list(applied([entry], {"weir:services": now})) == [
        {
            "weir:services": {
                "a": {
                    "image": "app:1",
                    "env": {"PLAIN": "a", "TOKEN": cipher, "LONG": cipher},
                    "versions": {"v1": {"env": {"TOKEN": cipher}}, "v2": None},
                },
                "env": {"image": "app:1"},
            }
        }
    ]
    others: list[dict[str, Any]] = [{}, {"weir:services": {"secure": "v1:a"}}, {"weir:services": []}]
    for other in others:
        assert "hunter2" not in str(list(applied([entry], other)))


@pytest.mark.parametrize("shown", [True, False])
def test_the_address_of_a_receiver_is_the_one_of_the_file(shown: bool) -> None:
    """Encrypted, whether or not Pulumi could decrypt what was applied."""
    receivers = [{"url": {"secure": "v1:a"}}]
    told = {"secret": True, "value": '[{"url":"https://a/hunter2"}]'} if shown else {"secret": True}
    config = {"weir:services": {"value": '{"a":{}}', "secret": False}, "weir:notify": told}
    entry = {"kind": "update", "result": "succeeded", "config": config}
    assert list(applied([entry], {"weir:services": {}, "weir:notify": receivers})) == [
        {"weir:services": {"a": {}}, "weir:notify": receivers}
    ]
    assert list(applied([entry], {"weir:services": {}})) == [{"weir:services": {"a": {}}, "weir:notify": ""}]
