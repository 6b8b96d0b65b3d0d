"""What `weir check` says of configs that people write by mistake, word for word: samples/bad_configs.yaml is the
table.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from weir import cli, yaml_writer
from weir.model import ConfigError, load
from weir.stack import yaml_reader

SAMPLES = Path(__file__).parent / "samples" / "bad_configs.yaml"
WEIR = Path(sys.executable).with_name("weir")


@dataclass(frozen=True)
class Bad:
    """A config, and the lines that are said of it."""

    name: str
    config: dict[str, Any]
    said: list[str]


def sound(entry: dict[str, Any]) -> dict[str, Any]:
    """A sound config with what the entry puts into it; null leaves a key out."""
    service: dict[str, Any] = {
        "image": "app:1",
        "versions": {"v1": {}, "v2": {}},
        "stable": "v1",
        **entry.get("service", {}),
    }
    if "route" in entry:
        service["routes"] = [{"name": "api", **entry["route"]}]
    if "policy" in entry:
        service["trafficPolicy"] = entry["policy"]
    config = {"namespace": "demo", "services": {"backend": service}, **entry.get("stack", {})}
    if "gateway" in entry:
        config["gateways"] = {"public": {"selector": {"istio": "ingress"}, "servers": entry["gateway"]}}
    whole: dict[str, Any] = entry.get("whole", config)
    return whole


BAD = [
    Bad(name, sound(entry), entry["said"].splitlines()) for name, entry in yaml_reader.load(SAMPLES.read_text()).items()
]
EACH = pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])


def written(config: dict[str, Any], directory: Path) -> Path:
    """A stack file with this config, and with a key of somebody else's."""
    file = directory / "Pulumi.bad.yaml"
    file.write_text(
        yaml_writer.dump(
            [{"config": {"aws:region": "eu-north-1", **{f"weir:{key}": value for key, value in config.items()}}}]
        )
    )
    return file


def without_places(text: str, file: Path) -> list[str]:
    """The lines without file, line and column before them."""
    return [re.sub(rf"^{re.escape(str(file))}:[0-9]+:[0-9]+: ", "", line) for line in text.splitlines()]


def check(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of `weir check`, run in this process."""
    monkeypatch.setattr(sys, "argv", ["weir", "check", *arguments])
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@EACH
def test_a_bad_config_gets_its_lines(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, each mistake one line on stderr with its place in the file, nothing on stdout and no traceback."""
    file = written(bad.config, tmp_path)
    assert check(monkeypatch, "--file", str(file)) == 2
    printed = capsys.readouterr()
    assert without_places(printed.err, file) == bad.said
    assert printed.out == ""


@EACH
def test_a_bad_config_is_data_too(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json the same is on stdout for programs, with the same exit code and nothing on stderr."""
    assert check(monkeypatch, "--json", "--file", str(written(bad.config, tmp_path))) == 2
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report["ok"] is False
    assert [f"{problem['path']}: {problem['message']}" for problem in report["problems"]] == bad.said
    assert printed.err == ""


def test_the_table_is_long() -> None:
    """Fifty mistakes and more, all different."""
    assert len({json.dumps(bad.config) for bad in BAD}) >= 50


@EACH
def test_each_message_says_what_to_do(bad: Bad) -> None:
    """A line has a path and a message of some length that ends in no punctuation, and speaks
    no validator's language.
    """
    for line in bad.said:
        assert re.fullmatch(r"weir:\S+: .{15,}[^.:;,]", line), line
        assert not re.search(r"pydantic|validat|input|NoneType|dict\b|\bstr\b|\bint\b|class", line), line


@pytest.mark.parametrize(
    "mistake",
    [
        {"replicaz": 1},
        {"stable": "v9"},
        {"port": 0},
        {"versions": {"v1": {"image": "A"}}},
        {"expose": {"gateways": ["a"], "hosts": ["a.b"]}},
    ],
    ids=str,
)
def test_many_mistakes_are_told_in_little_time(mistake: dict[str, Any]) -> None:
    """3,000 services with a mistake each: below 3 s of this process, and ten times as many as 300 take no more than
    twenty times as long.
    """
    taken = {}
    for count in (300, 3000):
        services = {
            f"s{number}": {"image": "app:1", "versions": {"v1": {}}, "stable": "v1", **mistake}
            for number in range(count)
        }
        started = time.process_time()
        with pytest.raises(ConfigError) as refused:
            load({"namespace": "demo", "services": services})
        taken[count] = time.process_time() - started
        assert len(refused.value.problems) == count
    assert taken[3000] < min(3, 20 * max(taken[300], 0.1))


def test_the_command_itself_ends_with_two(tmp_path: Path) -> None:
    """As a process of its own: the lines, the exit code, nothing else."""
    bad = next(bad for bad in BAD if bad.name == "a whole config")
    file = written(bad.config, tmp_path)
    done = subprocess.run(
        [str(WEIR), "check", "--file", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert without_places(done.stderr, file) == bad.said


def test_each_line_begins_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line and column of the key, or of the nearest one around what is missing, as editors and terminals make
    links of them.
    """
    file = tmp_path / "Pulumi.bad.yaml"
    file.write_text(
        """\
config:
  weir:namespace: Demo
  weir:services:
    backend: # the one
      image: app:1
      versions: {v1: {}, v2: {replicas: -1}}
      canary: {v3: 5}
      routes:
        - name: api
          match:
            - uri: {prefix: /a}
            - uri: /b
"""
    )
    assert check(monkeypatch, "--file", str(file)) == 2
    places = [line.removeprefix(f"{file}:").split(": weir:") for line in capsys.readouterr().err.splitlines()]
    assert [(place, rest.split(": ")[0]) for place, rest in places] == [
        ("2:3", "namespace"),
        ("6:31", "services.backend.versions.v2.replicas"),
        ("7:16", "services.backend.canary.v3"),
        ("12:15", "services.backend.routes[0].match[1].uri"),
        ("4:5", "services.backend.stable"),
    ]
