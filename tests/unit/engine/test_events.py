"""What the engine is at, read from event logs that pulumi 3.259 has written: of a program of the shape of weir's, with
objects rendered to files. Its debugging lines and the objects' states are left out.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.live.harness import until
from weir.engine.events import Changed, Changing, Event, EventLog, Said, Settled, parse

EVENTS = Path(__file__).with_name("events")
ROUTE = (
    "urn:pulumi:dev::weir::weir:mesh:MeshService$weir:mesh:VirtualService$"
    "kubernetes:networking.istio.io/v1:VirtualService::backend"
)
ROUTE_CHANGES = Changing(ROUTE, "VirtualService", "backend", removed=False)
GRACE = Said(
    "warning",
    "istiod's sync status cannot be read (forbidden), so it is not known whether proxies have acknowledged the routes of "
    "backend; waiting 5s instead (weir:propagation.grace)",
)
BY_HAND = Said(
    "warning", "Pod demo/by-hand has label app=backend, but no version's labels: it gets requests of the host"
)
STEP = (
    "policy canary-step: backend: v2 would go from 20 % to 90 %, which is 70 points more; at most 25 points at a time: "
    "go in steps, weir set backend v2=45 --stack dev first"
)
ENDLESS = (
    "policy fault-has-end: backend: the fault of route default has no end (1 % of requests aborted with 503); say when "
    "it ends, until: …"
)
NOT_READY = (
    "backend: v2 would get requests and none of its pods is ready: ImagePullBackOff: no such image; fix it first "
    "(weir:force: true does it anyway)"
)
LAGGING = "2 of 3 proxies have not acknowledged the change of backend"


def every(name: str) -> list[Event]:
    """What of a log is of use."""
    lines = (EVENTS / f"{name}.jsonl").read_text().splitlines()
    return [event for line in lines if (event := parse(json.loads(line)))]


def found(name: str) -> list[Event]:
    """The same without objects that stay as they are."""
    return [event for event in every(name) if not isinstance(event, Changed) or event.urn == ROUTE]


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("refused", [NOT_READY]),
        ("hook", ["VirtualService demo/backend was edited by hand"]),
        (
            "lagging",
            [
                f"after 30 s {LAGGING}: frontend-5d4-x, orders-77f-y\nThe rules are in the cluster; weir status shows the "
                "observed traffic (weir:propagation.timeout: 30s)"
            ],
        ),
        (
            "crash",
            [
                "Program failed with an unhandled exception:\nTraceback (most recent call last):\n"
                '  File "/home/ada/weir/__main__.py", line 49, in <module>\n    raise ValueError("surprise")\n'
                "ValueError: surprise"
            ],
        ),
        ("program", ["backend: canary: shares add up to 120 %\nCorrect the config"]),
        (
            "provider",
            [
                'VirtualService backend: failed to write YAML file: "/home/ada/weir/yaml/1-manifest/'
                'networking.istio.io_v1-virtualservice-demo-backend.yaml": open /home/ada/weir/yaml/1-manifest/'
                "networking.istio.io_v1-virtualservice-demo-backend.yaml: not a directory"
            ],
        ),
        ("policy", [STEP]),
        ("interrupted", []),
        ("set", []),
    ],
)
def test_an_error_is_why_and_nothing_else(name: str, errors: list[str]) -> None:
    """Not that the update failed, or that the program ended, which follows from it."""
    assert [event.text for event in found(name) if isinstance(event, Said) and event.severity == "error"] == errors


def test_an_update_is_told_in_its_order() -> None:
    """The route, the proxies, the end; objects that stay as they are change nothing."""
    assert found("set") == [
        ROUTE_CHANGES,
        Said(
            "info",
            "rendered /home/ada/weir/yaml/1-manifest/networking.istio.io_v1-virtualservice-demo-backend.yaml",
            passing=True,
        ),
        Changed(ROUTE, failed=False),
        Said("info", f"{LAGGING} yet: frontend-5d4-x, orders-77f-y", passing=True),
        Settled(),
    ]


def test_a_preview_changes_nothing() -> None:
    """Of a preview nothing but what it says is of use."""
    assert found("warned-preview") == [GRACE, BY_HAND]
    assert found("policy") == [Said("error", STEP), Said("warning", ENDLESS)]


def test_what_failed_is_told_apart() -> None:
    """The object that could not be changed."""
    assert Changed(ROUTE, failed=True) in found("hook")
    assert Changed(ROUTE, failed=True) in found("provider")


class Noted:
    """A listener."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.times = 0
        self.ended = False

    def hear(self, event: Event) -> None:
        self.events.append(event)

    def pass_time(self) -> None:
        self.times += 1

    def over(self) -> None:
        self.ended = True


def write(log: EventLog, text: str, *, anew: bool = True) -> None:
    """As pulumi does: by the path, from the beginning when a preview or an update begins."""
    with Path(log.option.partition("=")[2]).open("w" if anew else "a") as file:
        file.write(text)


def test_a_log_is_followed_while_it_is_written() -> None:
    """Preview and update write to the same file, the second over the first; a line may come in parts, and one that is
    none is passed over.
    """
    noted = Noted()
    log = EventLog(noted)
    log.started()
    preview, update = ((EVENTS / f"{name}.jsonl").read_text() for name in ("warned-preview", "warned"))
    write(log, preview[:-40])
    until(lambda: noted.events == [GRACE, BY_HAND], 5, "the preview is told")
    write(log, f"{preview[-40:]}no event\n", anew=False)
    write(log, update[:-30])
    until(lambda: noted.events[-1] == Settled(), 5, "the update is told, whose file is the shorter one")
    assert not noted.ended
    write(log, f'{update[-30:]}{{"errorEvent":{{"error":"the very last"}}}}\n', anew=False)
    log.rest()
    assert noted.ended
    assert noted.times > 0
    assert noted.events == [*found("warned-preview"), *every("warned"), Said("error", "the very last")]
    assert log.explained
    assert not os.fstat(log.descriptor).st_nlink, "nothing is left of it"


def test_a_log_that_was_begun_anew_is_read_anew() -> None:
    """Also where the update has written as much as the preview by the time somebody looks."""
    noted = Noted()
    log = EventLog(noted)
    first, second = '{"errorEvent":{"error":"one"}}\n', '{"errorEvent":{"error":"two"}}\n'
    log.started()
    write(log, first)
    until(lambda: len(noted.events) == 1, 5, "the first is told")
    write(log, second)
    log.rest()
    assert noted.events == [Said("error", "one"), Said("error", "two")]
