"""`weir verify` from the stack file to the exit code, against a real kubectl executable that is a fake."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest

from weir.cli.verify import command
from weir.errors import WeirError

from .fake_cluster import FakeCluster, pod, route_dump
from .fake_cluster import cluster as cluster_name

STACK = """
config:
  weir:namespace: demo
  weir:services:
    backend:
      image: hashicorp/http-echo:1.0.0
      versions: {v1: {}, v2: {}}
      stable: v1
      canary: {v2: 20}
  weir:clients:
    frontend: {image: "curlimages/curl:latest"}
"""
DELAY = "      fault: {delay: {percentage: 50, fixedDelay: 3s}}\n  weir:clients:"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A stack file with the tutorial's split."""
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(STACK)
    return path


def run(stack: Path, *args: str) -> int:
    """The exit code of `weir verify`, as `weir` gives it to the shell; messages go to stderr."""
    try:
        command.main(["--file", str(stack), *args], standalone_mode=False)
    except WeirError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except click.UsageError as error:
        print(error.format_message(), file=sys.stderr)
        return error.exit_code
    return 0


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON on stdout."""
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def edit(stack: Path, old: str, new: str) -> None:
    """Change the stack file; what is changed must be there."""
    text = stack.read_text()
    assert old in text
    stack.write_text(text.replace(old, new))


def test_traffic_that_obeys_ends_with_0_and_a_table(
    cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table fits 80 columns and has split, bound, shift and error rate."""
    assert run(stack) == 0
    out = capsys.readouterr().out
    assert "backend: traffic is what the config says" in out
    assert "1,000 requests from frontend-1" in out
    assert "200 (20 %)" in out
    assert "once in 1,000,000 runs" in out
    assert "99% of runs detect" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_traffic_that_does_not_obey_ends_with_3(
    cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A split of 50/50 under a config of 80/20 is exit code 3, and stderr names what failed."""
    cluster.set(outcomes=[["200 0.004 0 ", cluster_name("v1")], ["200 0.004 0 ", cluster_name("v2")]])
    assert run(stack) == 3
    captured = capsys.readouterr()
    assert captured.err == "traffic is not what the config says: backend (split v1, split v2)\n"
    assert "traffic is NOT what the config says" in captured.out


def test_the_json_is_as_documented(cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every documented key is there with its value, also when the verdict is no, and nothing else is on stdout."""
    cluster.set(outcomes=[["200 0.004 0 ", cluster_name("v1")], ["503 0.004 0 ", cluster_name("v2")]])
    assert run(stack, "backend", "--json", "--requests", "10") == 3
    found = report(capsys)
    (service,) = found.pop("services")
    assert found == {
        "stack": "dev",
        "namespace": "demo",
        "client": {"name": "frontend", "pod": "frontend-1"},
        "errorRate": 1e-6,
        "ok": False,
    }
    checks = service.pop("checks")
    assert service.pop("seconds") > 0
    assert service["proxy"].pop("waitedSeconds") >= 0
    assert service == {
        "service": "backend",
        "host": "backend.demo.svc.cluster.local",
        "requests": 10,
        "ok": False,
        "answers": {"200": 5, "503": 5},
        "attempts": {"v1": 5, "v2": 5},
        "slowestUndelayedSeconds": 0.004,
        "fastestDelayedSeconds": None,
        "proxy": {
            "agrees": True,
            "route": {
                "shares": {"v1": 0.8, "v2": 0.2},
                "delay": None,
                "abort": None,
                "retries": None,
                "timeoutSeconds": 0.0,
            },
        },
        "notes": [],
    }
    assert [check["check"] for check in checks] == ["errors", "reached", "split", "split"]
    assert checks[0] == {
        "check": "errors",
        "version": None,
        "expected": "none",
        "observed": "5 × 503",
        "count": 5,
        "of": 10,
        "lo": 0,
        "hi": 0,
        "ok": False,
        "detectableShift": None,
    }


def test_a_delay_fault_is_sent_side_by_side(
    cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under a 3 s delay 200 requests fly at once with time enough for each, and the share is judged."""
    edit(stack, "  weir:clients:", DELAY)
    fault = {"delay": {"fixed_delay": "3s", "percentage": {"numerator": 500000, "denominator": "MILLION"}}}
    slow, fast = (["3.01", "0.02"][i] for i in range(2))
    outcomes = [
        [f"200 {seconds} 0 ", cluster_name(version)]
        for version in ("v1", "v1", "v1", "v1", "v2")
        for seconds in (slow, fast)
    ]
    cluster.set(dumps=[route_dump({"v1": 80, "v2": 20}, fault)], outcomes=outcomes)
    assert run(stack, "--json") == 0
    (service,) = report(capsys)["services"]
    assert service["proxy"]["agrees"]
    assert (service["requests"], service["fastestDelayedSeconds"], service["slowestUndelayedSeconds"]) == (
        200,
        3.01,
        0.02,
    )
    (sent,) = cluster.sent()
    assert sent[sent.index("--parallel-max") + 1] == "200"
    assert float(sent[sent.index("--max-time") + 1]) > 10
    cluster.set(outcomes=[["200 0.02 0 ", cluster_name("v1")]] * 4 + [["200 0.02 0 ", cluster_name("v2")]])
    assert run(stack) == 3


def test_a_delay_that_was_removed_but_stayed_ends_with_3(
    cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that still delays is waited for, then measured, and judged by its own delay; the report says what it
    still has.
    """
    monkeypatch.setattr("weir.measurement.measure.PATIENCE", 0.1)
    fault = {"delay": {"fixed_delay": "3s", "percentage": {"numerator": 50}}}
    cluster.set(dumps=[route_dump({"v1": 80, "v2": 20}, fault)], outcomes=[["200 3.01 0 ", cluster_name("v1")]])
    assert run(stack, "--requests", "1") == 3
    captured = capsys.readouterr()
    assert "(delay)" in captured.err
    assert "still has another route: v1 80 %, v2 20 %; 50 % delayed by 3 s" in " ".join(captured.out.split())


def test_every_service_with_versions_is_verified_and_shares_the_error_rate(
    cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an argument all services are measured, one after the other; with one only that."""
    monkeypatch.setattr("weir.measurement.measure.PATIENCE", 0.0)
    edit(stack, "  weir:clients:", "    other: {image: x, versions: {v1: {}}, stable: v1}\n  weir:clients:")
    assert run(stack, "--json", "--requests", "1000") == 3  # no other service in this world
    services = report(capsys)["services"]
    assert [service["service"] for service in services] == ["backend", "other"]
    assert services[1]["proxy"] == {
        "agrees": False,
        "waitedSeconds": services[1]["proxy"]["waitedSeconds"],
        "route": None,
    }
    assert run(stack, "backend", "--json", "--requests", "1000") == 0
    (alone,) = report(capsys)["services"]
    assert services[0]["checks"][2]["lo"] < alone["checks"][2]["lo"]


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"fails": [1, "dial tcp 127.0.0.1:8080: connect: connection refused"]}, 1, "does not answer"),
        ({"pods": [pod(sidecar="none")]}, 1, "bypass every route"),
        ({"broken": {"curl": [127, "command terminated with exit code 127"]}}, 1, "reported 0 of 1000 requests"),
        ({"vanish": [cluster_name("v2")]}, 1, "the measurement was disturbed"),
    ],
)
def test_what_cannot_be_measured_ends_with_1(
    cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], code: int, told: str
) -> None:
    """No cluster, no sidecar, no curl and a rollout in between are no verdict on the traffic."""
    cluster.set(**change)
    assert run(stack) == code
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["backnd"], "backnd is not a service of this stack (services with versions: backend)"),
        (["--requests", "0"], "0 is not in the range"),
        (["--file", "/nowhere.yaml"], "/nowhere.yaml: no such file"),
    ],
)
def test_bad_usage_ends_with_2_before_the_cluster_is_asked(
    cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str], args: list[str], told: str
) -> None:
    """A wrong service, number or file is told without a call of kubectl."""
    assert run(stack, *args) == 2
    assert told in capsys.readouterr().err
    assert not cluster.calls()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("canary: {v2: 20}", "canary: {v3: 20}", "weir:services.backend.canary.v3"),
        (
            '\n  weir:clients:\n    frontend: {image: "curlimages/curl:latest"}',
            "",
            "no weir:clients to send requests from",
        ),
        ("config:", "config: [", "is not valid YAML"),
    ],
)
def test_bad_config_ends_with_2(
    cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    """A config that is refused, has no client or is not valid YAML is told without a call of kubectl."""
    edit(stack, old, new)
    assert run(stack) == 2
    assert told in capsys.readouterr().err
    assert not cluster.calls()


def test_cluster_client_and_namespace_come_from_config_and_options(cluster: FakeCluster, stack: Path) -> None:
    """kubeconfig is relative to the project, the context is the config's, options win."""
    (stack.parent / "kubeconfig").touch()
    edit(stack, "  weir:namespace", "  weir:kubeconfig: kubeconfig\n  weir:kubeContext: lab\n  weir:namespace")
    cluster.set(pods=[])
    assert run(stack, "--client", "probe", "--namespace", "elsewhere") == 1
    assert cluster.calls()[0][:10] == [
        *("--kubeconfig", str(stack.parent / "kubeconfig"), "--context", "lab", "-n", "elsewhere"),
        *("get", "pods", "-l", "app=probe"),
    ]


def test_an_ephemeral_stack_is_asked_for_its_namespace(
    cluster: FakeCluster, stack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulumi's state knows the random name; a stack that was never up is told so, and --namespace needs no Pulumi."""
    edit(stack, "  weir:namespace", "  weir:ephemeral: true\n  weir:namespace")
    pulumi = stack.parent / "pulumi"
    pulumi.write_text(f'#!/bin/sh\necho "$PWD $@" > {stack.parent}/asked\necho demo-eager-mole\n')
    pulumi.chmod(0o755)
    monkeypatch.setenv("WEIR_TOOL_PULUMI", str(pulumi))
    cluster.set(pods=[])
    assert run(stack, "--stack", "pr-7") == 1
    assert cluster.calls()[0][:2] == ["-n", "demo-eager-mole"]
    assert (
        stack.parent / "asked"
    ).read_text() == f"{stack.parent} stack output namespace --stack pr-7 --non-interactive --color never\n"
    pulumi.write_text("#!/bin/sh\necho \"error: no stack named 'pr-7' found\" >&2\nexit 6\n")
    capsys.readouterr()
    assert run(stack, "--stack", "pr-7") == 1
    said = capsys.readouterr().err
    assert (
        "stack pr-7 does not exist in this backend, and nothing was done; to create it: pulumi stack init pr-7" in said
    )
    assert "or name it with --namespace" in said
    monkeypatch.setenv("WEIR_TOOL_PULUMI", "/nowhere/pulumi")
    assert run(stack) == 1
    assert "WEIR_TOOL_PULUMI names /nowhere/pulumi" in capsys.readouterr().err
    cluster.set(pods=[pod()])
    assert run(stack, "--namespace", "demo") == 0


def test_an_interrupt_ends_at_once_and_leaves_no_child(cluster: FakeCluster, stack: Path) -> None:
    """Ctrl-C while requests are in flight ends the command within seconds, and the kubectl that sends them with it."""
    sending = stack.parent / "sending"
    answer = cluster.kubectl.rename(cluster.directory / "answer")
    lines = ["#!/bin/sh", "PATH=/usr/bin:/bin", 'case "$*" in *"-- curl "*)']
    lines += [f"echo $$ > {sending}.new; mv {sending}.new {sending}; exec sleep 60;; esac", f'exec {answer} "$@"']
    cluster.kubectl.write_text("\n".join(lines) + "\n")
    cluster.kubectl.chmod(0o755)
    script = "from weir.cli.verify import command; command.main(standalone_mode=False)"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "--file", str(stack)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    while not sending.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode != 0
    # What was killed is there until whoever has inherited it asks for it.
    child, deadline = Path(f"/proc/{sending.read_text().strip()}"), time.monotonic() + 10
    while child.exists():
        assert time.monotonic() < deadline, (child / "status").read_text()
        time.sleep(0.02)
