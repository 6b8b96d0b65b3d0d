"""What holds of Pulumi itself, with programs of the tests' own; no cluster is asked."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.live.engine import Engine
from tests.live.harness import until
from tests.unit.cli.test_visible import HOSTILE, raw

# Each way in which a program has a terminal say what stands in the config; the last one past Pulumi.
TELLING = """
import sys
import pulumi
told = pulumi.Config("weir").require("told")
pulumi.log.warn(f"warned of {told}")
pulumi.info(f"told {told}")
pulumi.export(told, told)
print(f"printed {told}", file=sys.stderr, flush=True)
"""


def test_an_update_shows_nothing_raw(tmp_path: Path) -> None:
    """A value of the config that steers screens, and a title that does, in an update as releases make it: told
    visibly, whoever tells.
    """
    engine = Engine.create(tmp_path, TELLING, f"  weir:told: {json.dumps(HOSTILE)}\n")
    said = engine.weir_up(HOSTILE)
    assert not raw(said), said
    for each in ("warned of", "told", "printed"):
        assert f"{each} \\u001b[2J\\u001b]0;owned\\u0007\\u009b31m\\u202etxt" in said, said
    # It is Pulumi that would write it so.
    assert "\x1b[2J" in engine.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--color=never")


# It lasts until it is told to end, and has much to say all the while.
LASTING = """
import asyncio
from pathlib import Path
import pulumi
made = pulumi.ComponentResource("test:index:Made", "made")

async def last(_):
    Path("began").touch()
    while True:
        pulumi.log.info("x" * 10000)
        await asyncio.sleep(0.01)

if not pulumi.runtime.is_dry_run():
    # The engine has it by then.
    made.urn.apply(last)
"""


def test_pulumi_ends_in_good_order_when_weir_is_killed(tmp_path: Path) -> None:
    """Whoever shows its output is gone: it writes down what it did, and takes away its lock."""
    engine = Engine.create(tmp_path, LASTING)
    weir = engine.begin("why")
    until((tmp_path / "began").exists, 60, "the update is under way")
    weir.kill()
    weir.wait()
    locks = tmp_path / "state" / ".pulumi" / "locks"
    until(lambda: not list(locks.rglob("*.json")), 30, "the lock is gone")
    [update] = json.loads(engine.run("pulumi", "stack", "history", "--json"))
    assert (update["kind"], update["result"], update["message"]) == ("update", "failed", "why")
    assert "test:index:Made" in engine.run("pulumi", "stack", "export")


def test_ctrl_c_ends_an_update_in_good_order(tmp_path: Path) -> None:
    """It reaches pulumi as it reaches weir, which shows what pulumi says to it until the end,
    and says what it means.
    """
    engine = Engine.create(tmp_path, LASTING)
    weir = engine.begin("why")
    until((tmp_path / "began").exists, 60, "the update is under way")
    os.killpg(weir.pid, signal.SIGINT)
    weir.wait(60)
    said = (tmp_path / "said").read_text()
    assert "error: update canceled" in said
    assert "Duration:" in said
    assert "InterruptedUpdateError: pulumi up of stack dev was interrupted" in said
    assert not list((tmp_path / "state" / ".pulumi" / "locks").rglob("*.json"))


WARNING = """
import pulumi
from components.warned import warn
warn("beware of both")
warn("beware of the preview" if pulumi.runtime.is_dry_run() else "beware of the update")
"""


def test_each_warning_comes_once_a_run(tmp_path: Path) -> None:
    """A preview and the update after it are one run of Pulumi's. An update alone warns, whatever another run has said,
    and of what is new.
    """
    engine = Engine.create(tmp_path, WARNING)
    up = ("pulumi", "up", "--yes", "--non-interactive")
    engine.run("pulumi", "preview", "--non-interactive")
    alone = engine.run(*up, "--skip-preview")
    assert "beware of both" in alone, alone
    assert "beware of the update" in alone, alone
    shown = engine.run(*up)
    preview, _, update = shown.partition("Updating (")
    assert "beware of both" in preview, shown
    assert "beware of the preview" in preview, shown
    assert "beware of the update" in update, shown
    assert "beware of both" not in update, shown
    assert "beware of both" in engine.run(*up, "--skip-preview")
    # Of runs that are over nothing is kept.
    assert len(list((tmp_path / ".weir" / "warned").iterdir())) <= 1
