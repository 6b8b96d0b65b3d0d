"""Whatever bytes stand in a stack file or in a saved preview: an answer in time, exit code 0 or 2, and no traceback."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cli.test_diff import preview
from tests.unit.model.hypothesis_rounds import in_rounds, tens
from tests.unit.model.strategies import configs
from weir import cli, yaml_writer

SECONDS = 10
"""Of this process: what else runs on the machine is no fault of the file."""
WEIR = Path(sys.executable).with_name("weir")

HEAD = b"config:\n  weir:namespace: demo\n  weir:services:\n"
DEEP = 3000
NINES = b"9" * 5000
SPOILT: dict[str, bytes] = {
    "nothing": b"",
    "no text": bytes(range(256)),
    "half a character": "config: {weir:namespace: ä".encode()[:-1],
    "a byte order mark": b"\xef\xbb\xbf" + HEAD + b"    a: {versions: {v1: {}}, stable: v1}\n",
    "UTF-16": HEAD.decode().encode("utf-16"),
    "only a NUL": b"\0",
    "only a tab": b"\t",
    "a whole number of 5,000 digits": HEAD + b"    a: {port: " + NINES + b"}\n",
    "a hexadecimal one": HEAD + b"    a: {port: 0x" + b"f" * 5000 + b"}\n",
    "a fraction of 5,000 digits": HEAD + b"    a: {canary: {v1: 0." + NINES + b"}, versions: {v1: {}}, stable: v1}\n",
    "an exponent without end": HEAD + b"    a: {canary: {v1: '1e" + NINES + b"'}, versions: {v1: {}}, stable: v1}\n",
    "a share of almost nothing": HEAD + b"    a: {canary: {v1: '1e-999999999'}, versions: {v1: {}}, stable: v1}\n",
    "a number as a key": HEAD + b"    " + NINES[:900] + b": {}\n",
    "hours past all calendars": HEAD + b"    a: {versions: {v1: {}}, stable: v1, timeout: 10000000000000000000000h}\n",
    "hours in 5,000 digits": HEAD + b"    a: {versions: {v1: {}}, stable: v1, timeout: " + NINES + b"h}\n",
    "an exponent in hours": HEAD + b"    a: {versions: {v1: {}}, stable: v1, timeout: 1e22h}\n",
    "memory in 5,000 digits": HEAD
    + b"    a: {image: a, versions: {v1: {}}, stable: v1, resources: {limits: {memory: "
    + NINES
    + b"}}}\n",
    "lists inside lists": HEAD + b"    a: " + b"[" * DEEP + b"]" * DEEP + b"\n",
    "lists inside lists in JSON": b"config:\n  weir:services: '" + b"[" * DEEP + b"]" * DEEP + b"'\n",
    "mappings inside mappings in JSON": b"config:\n  weir:services: '" + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"'\n",
    "lists deep enough for whoever walks them": b'config:\n  weir:services: \'{"a": '
    + b"[" * 900
    + b"]" * 900
    + b"}'\n",
    "a number of 5,000 digits in JSON": b'config:\n  weir:services: \'{"a": {"port": ' + NINES + b"}}'\n",
    "half a surrogate in JSON": (
        b'config:\n  weir:namespace: demo\n  weir:services: \'{"a": {"versions": {"v1": {"args": ["\\ud800"]}}, '
        b'"stable": "\\udfff"}}\'\n'
    ),
    "no number in JSON": b'config:\n  weir:services: \'{"a": {"port": NaN, "replicas": -Infinity}}\'\n',
    "JSON that breaks off": b"config:\n  weir:services: '{\"a\":'\n",
    "an escape of half a surrogate": b'config:\n  weir:namespace: "\\ud800"\n',
    "aliases of aliases": b"a: &a [x, x]\n"
    + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 123))
    + HEAD,
    "an alias of what is around it": b"config: &c\n  weir:services: *c\n",
    "a merge of what is no mapping": b"config:\n  <<: 5\n",
    "a merge without a value": b"config:\n  <<:\n",
    "a mapping as a key": b"config:\n  ? {a: b}\n  : 5\n",
    "a list as a key": b"config:\n  ? [a]\n  : 5\n",
    "an empty key": b'config:\n  "": 5\n  "weir:": {}\n  ":": 1\n',
    "a tag that builds objects": b"config: !!python/object/apply:os.system [echo]\n",
    "a binary tag": b"config:\n  weir:namespace: !!binary gIGC\n",
    "a date": b"config:\n  weir:namespace: 2026-11-25\n  weir:readyTimeout: 2026-11-25T14:00:00Z\n",
    "two documents": b"config: {}\n---\nconfig: {}\n",
    "a directive": b"%YAML 9.9\n---\nconfig: {}\n",
    "endless quotes": b"config:\n  weir:namespace: '" + b"''" * 100_000,
    "a long line": b"config:\n  weir:namespace: " + b"x" * 3_000_000 + b"\n",
    "an expression without end": HEAD
    + b"    a: {versions: {v1: {}}, stable: v1, routes: [{name: a, match: [{uri: {regex: '"
    + b"(" * 1000
    + b"'}}]}]}\n",
    "an expression of many states": HEAD
    + (
        b"    a: {versions: {v1: {}}, stable: v1, routes: [{name: a, match: [{uri: {regex: "
        b"'((a{100}){100}){100}'}}]}]}\n"
    ),
    "control characters": b'config:\n  weir:namespace: "\\e[31m\\x9b\\u202e\\0"\n  "weir:\\e]0;x\\a": 1\n',
    "3,000 services with an error each": HEAD
    + b"".join(b"    s%d: {versions: {v1: {}}, stable: v9}\n" % n for n in range(3000)),
}

TOKENS = [
    b"\0", b"\t", b"\r", b"\n", b" ", b"'", b'"', b"\\", b"#", b":", b"- ", b"? ", b"&a ", b"*a", b"<<: ", b"!!int ", b"!x ", b"|\n", b">-\n", b"%", b"@",
    b"{", b"}", b"[", b"]", b",", b"---\n", b"...\n", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\x1b[31m",
    b"9" * 25, NINES, b"-1", b"0x", b"1e400", b".nan", b".inf", b"1e22h", b"2026-11-25", b"null", b"~", b"true", b"'[1, {]'", b"'[[]]'", b'"\\ud800"',
    b"\"{\\\"a\\\": \\\"\\\\ud800\\\"}\"", b"weir:", b"${x}", b"secure: x", b"\xf0\x9f\x92\xa9",
]  # fmt: skip

_extremes = [10**30, -(10**400), 1e300, "1e400", "1e22h", "\ud800", "[[", '{"a": "\\ud800"}']
_extremes += ["9" * 5000, "%1" * 10_000, "a-" * 50_000, "a." * 50_000, "1s" * 50_000]
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(_extremes)
_trees = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@st.composite
def spoilt(draw: st.DrawFn, text: bytes) -> bytes:
    """The text with some of its bytes taken away, doubled, or replaced by what readers of YAML
    and JSON stumble over.
    """
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = (
            text[:start]
            + draw(st.sampled_from(TOKENS) | st.binary(max_size=4) | st.just(text[start:end] * 2))
            + text[end:]
        )
    return text


@st.composite
def grafted(draw: st.DrawFn, tree: Any) -> Any:
    """The tree with anything at all in one place of it."""
    places = [(tree, key) for key in tree]
    for holder, key in places:
        inner = holder[key]
        places += [
            (inner, each)
            for each in (inner if isinstance(inner, dict) else range(len(inner) if isinstance(inner, list) else 0))
        ]
    holder, key = draw(st.sampled_from(places))
    holder[key] = draw(_trees)
    return tree


def in_yaml(config: dict[str, Any]) -> bytes:
    return yaml_writer.dump([{"config": {f"weir:{key}": value for key, value in config.items()}}]).encode(
        "utf-8", "surrogatepass"
    )


def as_text(config: dict[str, Any]) -> bytes:
    """The config as `pulumi config set` writes it: mappings as JSON text."""
    return in_yaml({key: json.dumps(value) if isinstance(value, dict) else value for key, value in config.items()})


def ends_well(content: bytes, *arguments: str) -> None:
    """`weir ARGUMENTS FILE`, run in this process on a file of these bytes, ends with 0 or 2 in time; whatever else it
    raises fails the test.
    """
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        file = Path(directory) / "Pulumi.bad.yaml"
        file.write_bytes(content)
        patch.setattr(sys, "argv", ["weir", *arguments, str(file)])
        patch.setattr("signal.signal", lambda number, handler: None)
        started = time.process_time()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code in (None, 0, 2)
        assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in SPOILT.items()])
def test_check_of_a_spoilt_file(content: bytes) -> None:
    """What has broken readers of YAML, JSON and numbers before."""
    ends_well(content, "check", "--file")


@in_rounds(5)
@tens
@given(st.binary() | st.text(max_size=200).map(str.encode) | _trees.map(json.dumps).map(str.encode))
def test_check_of_any_bytes(content: bytes) -> None:
    """A file that has nothing to do with a stack."""
    ends_well(content, "check", "--file")


@in_rounds(8)
@tens
@given(configs(least=1).flatmap(lambda config: spoilt(in_yaml(config)) | spoilt(as_text(config))))
def test_check_of_a_file_that_was_spoilt(content: bytes) -> None:
    """A stack file with some bytes lost, doubled or replaced."""
    ends_well(content, "check", "--file")


@in_rounds(8)
@tens
@given(
    configs(least=1)
    .map(copy.deepcopy)
    .flatmap(grafted)
    .flatmap(lambda config: st.sampled_from([in_yaml(config), as_text(config)]))
)
def test_check_of_a_file_with_anything_in_one_place(content: bytes) -> None:
    """A stack file in which one key has a value of any type and size."""
    ends_well(content, "check", "--file")


PREVIEWS: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "no text": bytes(range(256)),
    "steps that are none": b'{"changeSummary": {}, "steps": [1, null, {}, {"op": 5}, {"op": ["a"]}]}',
    "steps of null": b'{"changeSummary": {}, "steps": null}',
    "states that are none": b'{"changeSummary": {}, "steps": [{"op": "create", "newState": 5}]}',
    "inputs that are none": (
        b'{"changeSummary": {}, "steps": [{"op": "create", "newState": {"type": "kubernetes:a:VirtualService", '
        b'"inputs": [5]}}]}'
    ),
    "lists inside lists": b'{"changeSummary": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a number of 5,000 digits": b'{"changeSummary": ' + NINES + b"}",
    "half a surrogate": b'{"changeSummary": {}, "steps": [{"op": "create", "newState": {"type": "kubernetes:a:\\ud800"}}]}',
}


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in PREVIEWS.items()])
def test_diff_of_a_spoilt_preview(content: bytes) -> None:
    """What is no preview, or one with nothing where something should be."""
    ends_well(content, "diff", "--preview")


@in_rounds(8)
@tens
@given(
    st.tuples(configs("demo", 1), configs("demo", 1)).map(lambda both: preview(*both)).flatmap(grafted),
    st.sampled_from(["text", "markdown", "json"]),
)
def test_diff_of_a_preview_with_anything_in_one_place(changed: dict[str, Any], form: str) -> None:
    """A preview in which anything at all stands in one place."""
    ends_well(json.dumps(changed).encode(), "diff", "--format", form, "--preview")


@in_rounds(8)
@tens
@given(
    st.tuples(configs("demo", 1), configs("demo", 1))
    .map(lambda both: json.dumps(preview(*both)).encode())
    .flatmap(spoilt)
)
def test_diff_of_a_preview_that_was_spoilt(content: bytes) -> None:
    """A preview with some bytes lost, doubled or replaced."""
    ends_well(content, "diff", "--preview")


def test_the_command_itself_ends_with_two(tmp_path: Path) -> None:
    """As a process of its own, where a traceback would be seen."""
    file = tmp_path / "Pulumi.bad.yaml"
    for name in (
        "a whole number of 5,000 digits",
        "lists inside lists in JSON",
        "hours past all calendars",
        "half a surrogate in JSON",
    ):
        file.write_bytes(SPOILT[name])
        done = subprocess.run(
            [str(WEIR), "check", "--file", str(file)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (0, 2)
        assert "Traceback" not in done.stderr
    piped = subprocess.run(
        [str(WEIR), "diff", "--preview", "-"], input=PREVIEWS["no text"], capture_output=True, timeout=60, check=False
    )
    assert piped.returncode == 2
    assert piped.stderr.count(b"\n") == 1
