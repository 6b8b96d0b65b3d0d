"""What one update notes for the next: a rule that proxies had not acknowledged when it gave up is asked about again."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.args import ClusterArgs
from components.safeguards import Safeguards
from weir import program_environment
from weir.cluster.proxies import Acknowledged, LaggingError
from weir.cluster.want import Want
from weir.model.manifests.annotations import digest

HOST = "backend.demo.svc.cluster.local"
SPEC = {"hosts": [HOST], "http": [{"name": "default", "route": [{"destination": {"host": HOST, "subset": "v1"}}]}]}
ROUTE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "backend", "namespace": "demo", "annotations": {"weir.dev/spec": digest(SPEC)}},
    "spec": SPEC,
}
# The objects are in a file, which a merge patch changes as the API server does (RFC 7386, of two levels).
KUBECTL = f"""#!{sys.executable} -IS
import json, sys
from pathlib import Path
place = Path(__file__).with_name("objects.json")
objects = json.loads(place.read_text())
if "patch" in sys.argv:
    kind, name = sys.argv[sys.argv.index("patch") + 1:][:2]
    [found] = [each for each in objects if (each["kind"].lower() + ".networking.istio.io", each["metadata"]["name"]) == (kind, name)]
    [patch] = [json.loads(each.removeprefix("--patch=")) for each in sys.argv if each.startswith("--patch=")]
    for key, value in patch["metadata"]["annotations"].items():
        found["metadata"]["annotations"].pop(key, None)
        if value is not None:
            found["metadata"]["annotations"][key] = value
    place.write_text(json.dumps(objects))
else:
    print(json.dumps({{"items": objects}}))
"""


class FakeUpdates:
    """One update after the other of a stack with one route, whose proxies follow or do not."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self._place = directory / "objects.json"
        self._place.write_text(json.dumps([ROUTE]))
        kubectl = directory / "kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(0o755)
        patch.setenv("WEIR_TOOL_KUBECTL", str(kubectl))
        # There is no engine to register the hooks with, and no istiod.
        for name in ("ResourceHook", "ErrorHook"):
            patch.setattr(pulumi, name, lambda *_: None)
        patch.setattr("components.propagation.mark", lambda *_: {})
        patch.setattr("components.propagation.wait_for", self._waited)
        for name in ("info", "debug"):
            patch.setattr(pulumi.log, name, lambda *_, **__: None)
        self._follow = True
        self._asked: list[Want] = []

    def _waited(self, _: object, want: Want, *__: object, **___: object) -> Acknowledged:
        self._asked.append(want)
        if not self._follow:
            raise LaggingError("after 30 s 1 of 2 proxies have not acknowledged the change of backend: b.demo")
        return Acknowledged(2, 0.1)

    def run(self, *, changed: bool, follow: bool) -> list[Want]:
        """What proxies were asked for by an update, which fails where they do not follow."""
        self._follow, self._asked = follow, []
        guard = Safeguards(ClusterArgs())
        acknowledgement = guard.acknowledgement

        async def update() -> None:
            if changed:
                inputs = {"kind": "VirtualService", "metadata": ROUTE["metadata"], "spec": SPEC}
                await acknowledgement.note(
                    pulumi.ResourceHookArgs(
                        "urn", "id", "backend", "type", new_inputs=inputs, old_inputs={"spec": {"http": []}}
                    )
                )
            metadata: Any = ROUTE["metadata"]
            await guard.rewriting.stands("backend", ROUTE, metadata, guard.routes)
            await acknowledgement.acknowledged("demo", "backend", HOST)

        if follow:
            asyncio.run(update())
        else:
            with pytest.raises(
                pulumi.RunError, match=r"1 of 2 proxies have not acknowledged the change of backend: b\.demo"
            ):
                asyncio.run(update())
        return self._asked

    @property
    def marked(self) -> bool:
        """Whether the route says that proxies lag."""
        [route] = json.loads(self._place.read_text())
        return "weir.dev/lagging" in route["metadata"]["annotations"]


def test_an_update_after_one_that_gave_up_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a change, too, and until they follow; of what they have acknowledged nobody is asked."""
    updates = FakeUpdates(tmp_path, monkeypatch)
    assert updates.run(changed=False, follow=True) == []
    [first] = updates.run(changed=True, follow=False)
    assert (first.host, first.again, updates.marked) == (HOST, False, True)
    [second] = updates.run(changed=False, follow=False)
    assert (second.host, second.changed, second.again, updates.marked) == (HOST, first.changed, True, True)
    [third] = updates.run(changed=False, follow=True)
    assert (third, updates.marked) == (second, False)
    assert updates.run(changed=False, follow=True) == []
    # A change that they follow takes the mark away as well.
    updates.run(changed=True, follow=False)
    assert updates.run(changed=True, follow=True) == [first]
    assert not updates.marked


@pytest.mark.parametrize("may", [True, False])
def test_what_is_held_is_not_written_before_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may: bool
) -> None:
    """The last hook before a rule is written ends when that is known, or fails where it may not be."""
    FakeUpdates(tmp_path, monkeypatch)
    program_environment.give({program_environment.HELD: "1"})
    inputs = {"kind": "VirtualService", "metadata": ROUTE["metadata"], "spec": SPEC}
    args = pulumi.ResourceHookArgs("urn", "id", "backend", "type", new_inputs=inputs, old_inputs={"spec": {"http": []}})

    async def update() -> None:
        note = Safeguards(ClusterArgs()).acknowledgement.note
        hooks = [asyncio.ensure_future(note(args)) for _ in range(3)]
        done, _ = await asyncio.wait(hooks, timeout=0.5)
        assert not done
        program_environment.let(may)
        await asyncio.wait_for(asyncio.gather(*hooks), timeout=10)

    try:
        if may:
            asyncio.run(update())
        else:
            with pytest.raises(pulumi.RunError, match="nothing was written"):
                asyncio.run(update())
    finally:
        program_environment.give({})
