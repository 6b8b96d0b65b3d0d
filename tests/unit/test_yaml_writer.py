"""What is written is read back as the same by readers of YAML 1.1 and of YAML 1.2."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from weir import yaml_writer
from weir.stack import yaml_reader

TRICKY = """
yes No ON off y n null ~ true 1e3 1.0e+3 0777 0o17 1:30 2001-12-14 .5 5. .inf -.INF .nan << = 1_000 0x1F 0b1 +5 -0 1.0.0 10m 1e3s
0x 0b 1e --- ... -- - ? : -1 - 5e 12e03 0xF 25% 1.5Gi a:b a: :a -a --a a#b {a} [a] ,a @a `a %a !a |a >a &a *a
"""


def written(*documents: Any) -> str:
    return yaml_writer.dump(documents)


@pytest.mark.parametrize(
    "text",
    [
        "demo",
        "-text=Hello from Backend v1",
        "hashicorp/http-echo:1.0.0",
        "backend.demo.svc.cluster.local",
        "gateway-error,connect-failure,503",
        "25%",
        "10m",
        "16Mi",
        "1m30s",
        "https://shop.example.com",
        "/etc/certs/ca.pem",
        "app.kubernetes.io/managed-by",
    ],
)
def test_what_is_plainly_text_has_no_quotes(text: str) -> None:
    """Names, images, options, hosts and amounts stand as people write them."""
    assert written(text) == f"---\n{text}\n"


@pytest.mark.parametrize(
    "text",
    [
        "on",
        "Yes",
        "n",
        "null",
        "~",
        "1e3",
        "0777",
        "012",
        "0o17",
        "1:30",
        "8080",
        "1.10",
        "2026-11-23",
        "0xFF",
        "",
        " a",
        "a ",
        "=",
        "#",
    ],
)
def test_what_looks_like_something_else_is_quoted(text: str) -> None:
    """No reader takes a version `1` or an argument `on` for a number or a flag."""
    assert written(text) == f"---\n'{text}'\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [("it's", "'it''s'"), ("one\ntwo", '"one\\ntwo"'), ('"\t\\', '"\\"\\t\\\\"'), ("a\u2028\x7f", '"a\\u2028\\u007f"')],
)
def test_one_text_is_one_line(text: str, line: str) -> None:
    """Line breaks and control characters are escaped, quotes doubled."""
    assert written(text) == f"---\n{line}\n"


def test_lists_stand_under_their_key() -> None:
    """The form of `kubectl get -o yaml`: items begin where their key does, empty ones are one word."""
    tree = {
        "spec": {
            "args": ["-a"],
            "ports": [{"name": "http", "port": 80}, {}],
            "empty": [],
            "deep": [[1, 2.5], True, None],
        }
    }
    assert written(tree, {"a": 1}) == (
        "---\nspec:\n  args:\n  - -a\n  ports:\n  - name: http\n    port: 80\n  - {}\n  empty: []\n"
        "  deep:\n  - - 1\n    - 2.5\n  - true\n  - null\n---\na: 1\n"
    )


def test_small_and_large_fractions_are_numbers_to_all() -> None:
    """YAML 1.1 takes 1e-05 for text."""
    assert written([0.00001, 1e22, 0.5]) == "---\n- 0.00001\n- 10000000000000000000000.0\n- 0.5\n"


def test_a_long_key_is_still_a_key() -> None:
    """Readers give up looking for the colon after 1,024 characters."""
    tree = {"k" * 2000: {"a": ["b"]}, "x" * 2000: 1}
    text = written(tree)
    assert text.startswith(f"---\n? {'k' * 2000}\n: a:\n  - b\n")
    assert yaml.load(text, Loader=yaml.SafeLoader) == tree


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"prefix": "/api/"}, "{prefix: /api/}"),
        ([{"version": "v2", "percentage": 100}], "[{version: v2, percentage: 100}]"),
        (["-text=Hello", "a, b", "on", ""], "[-text=Hello, 'a, b', 'on', '']"),
        ({}, "{}"),
        (20, "20"),
    ],
)
def test_examples_stand_in_one_line(value: Any, line: str) -> None:
    """As messages show what could be written."""
    assert yaml_writer.flow(value) == line


_TEXT = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="0123456789.:-+eExXoObB_%mMi~yYnNtT #'\"\\[],&*!|>?@`=<\n", max_size=8),
    st.sampled_from(TRICKY.split()),
)
_SCALAR = st.one_of(
    _TEXT, st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
)
_TREE = st.recursive(
    _SCALAR,
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.dictionaries(st.one_of(_TEXT, st.text("ab ", min_size=120, max_size=200)), inside, max_size=4),
    ),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_TREE, max_size=3))
def test_every_reader_reads_what_was_written(documents: list[Any]) -> None:
    """PyYAML (YAML 1.1), ruamel.yaml (1.2) and weir's own reader, which is Pulumi's, agree on every tree, order and
    types included.
    """
    text = yaml_writer.dump(documents)
    wanted = json.dumps(documents)
    assert json.dumps(list(yaml.load_all(text, Loader=yaml.CSafeLoader))) == wanted
    assert json.dumps(list(YAML(typ="safe", pure=True).load_all(text))) == wanted
    assert json.dumps([yaml_reader.load(yaml_writer.dump([document])) for document in documents]) == wanted


@settings(max_examples=200, deadline=None)
@given(_TREE)
def test_one_line_is_read_back_too(tree: Any) -> None:
    """What a message shows can be pasted into a stack file."""
    assert json.dumps(yaml_reader.load(f"a: {yaml_writer.flow(tree)}")["a"]) == json.dumps(tree)
