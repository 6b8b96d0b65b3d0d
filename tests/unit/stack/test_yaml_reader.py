"""Stack files are read as Pulumi reads them, whatever YAML libraries think of YAML 1.1 and 1.2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from weir.stack import yaml_reader
from weir.stack.yaml_reader import NotYamlError
from weir.stack.yaml_scalars import Moment

CHECKOUT = Path(__file__).resolve().parents[3]

# What `pulumi config --json` of 3.259 makes of each, asked on 2026-11-23; times alone are kept apart, which Pulumi
# writes anew.
AS_PULUMI = [
    ("on", "on"),
    ("yes", "yes"),
    ("n", "n"),
    ("True", True),
    ("FALSE", False),
    ("tRUE", "tRUE"),
    ("012", 10),
    ("-012", -10),
    ("09", 9.0),
    ("08", 8.0),
    ("0o17", 15),
    ("0O17", 15),
    ("0b101", 5),
    ("-0b11", -3),
    ("0x1F", 31),
    ("-0x1F", -31),
    ("1_000", 1000),
    ("1_000.5", 1000.5),
    ("_1", "_1"),
    (".5_0", 0.5),
    (".5_", ".5_"),
    ("1:30", "1:30"),
    ("1e3", 1000.0),
    ("1.0e+3", 1000.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("+5", 5),
    ("-0", 0),
    ("1.0.0", "1.0.0"),
    ("123456789012345678901234567890", 1.2345678901234568e29),
    ("18446744073709551615", 18446744073709551615),
    ("~", None),
    ("Null", None),
    ("", None),
    ("=", "="),
    ("'012'", "012"),
    ('"on"', "on"),
    ("!!str 5", "5"),
    ('!!int "5"', 5),
    ("!!float 5", 5.0),
    ("2001-12-14", Moment("2001-12-14")),
    ("2001-12-14 21:59:43", Moment("2001-12-14 21:59:43")),
    ("2001-12-14T21:59:43.5+01:00", Moment("2001-12-14T21:59:43.5+01:00")),
    ("2001-13-45", "2001-13-45"),
    ("2001-12-14 25:00:00", "2001-12-14 25:00:00"),
    ("2001-12", "2001-12"),
]


@pytest.mark.parametrize("loader", ["CBaseLoader", "BaseLoader"])
@pytest.mark.parametrize(("written", "read"), AS_PULUMI)
def test_scalars_are_what_pulumi_takes_them_for(
    written: str, read: Any, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`weir check` and `pulumi up` see the same value, in C and without libyaml."""
    monkeypatch.setattr(yaml_reader, "_Loader", getattr(yaml, loader))
    value = yaml_reader.load(f"a: {written}\n")["a"]
    assert (type(value), value) == (type(read), read)


def test_infinities_are_numbers_as_well() -> None:
    """Pulumi refuses them a step later, and weir's numbers are finite; neither takes them for text."""
    read = yaml_reader.load("[.inf, -.INF, +.inf, .nan, 1e999]")
    assert [str(value) for value in read] == ["inf", "-inf", "inf", "nan", "1e999"]
    assert isinstance(read[4], str)


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("{2: a, true: b, ~: c}", ["2", "true", "null"]),
        ("{1.5: a, 1.0: b, 012: c}", ["1.5", "1", "10"]),
        ("{on: a, '3': b, 2001-12-14: c}", ["on", "3", "2001-12-14"]),
    ],
)
def test_keys_are_text(written: str, keys: list[str]) -> None:
    """A version may be written `2:`; it is the key that Pulumi's JSON has."""
    assert list(yaml_reader.load(written)) == keys


@pytest.mark.parametrize(
    "text",
    [
        "base: &b {a: 1, c: 2}\nown: {<<: *b, c: 3}\n",
        "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nboth: {<<: [*x, *y], z: 0}\n",
        "l: &l [1, {a: 2}]\nm: [*l, *l]\n",
        "text: |\n  one\n\n  two\nfolded: >-\n  one\n  two\nlong: one\n  two\n",
        "a: {}\nb: []\nc: ''\n# a comment\nd: 'it''s' # another\n",
        "\ufeffa: ü\nb: 😀\n",
        "a: 1\r\nb: 2\r\n",
        "--- {a: 1}\n...\n",
    ],
)
def test_structure_is_read_as_before(text: str) -> None:
    """Aliases, merges and the styles of text give the tree that the reader of YAML 1.2 gave, in the same order."""
    assert json.dumps(yaml_reader.load(text)) == json.dumps(YAML(typ="safe", pure=True).load(text))


def test_the_stack_files_of_the_checkout_are_read_as_before() -> None:
    """Every stack file is the same tree to both readers."""
    files = list(CHECKOUT.glob("Pulumi*.yaml"))
    assert files
    for file in files:
        text = file.read_text()
        assert yaml_reader.load(text) == YAML(typ="safe", pure=True).load(text), file


REFUSED = [
    ("a: {b: [1\n", "2:1: did not find expected ',' or ']', while parsing a flow sequence that begins at 1:8"),
    ("a:\n\tb: 1\n", "2:1: found character '\\t' that cannot start any token"),
    ("a: @x\n", "1:4: found character '@' that cannot start any token"),
    ("a: b: c\n", "1:5: mapping values are not allowed in this context"),
    ("a: 'open\n", "2:1: found unexpected end of stream, while scanning a quoted scalar that begins at 1:4"),
    ("a: 1\nb: 2\na: 3\n", "3:1: found duplicate key a, which line 1 has already"),
    ("{1: a, '1': b}\n", "1:8: found duplicate key 1, which line 1 has already"),
    ("a: 1\n---\nb: 2\n", "2:1: found another document; a stack file has one"),
    ("a: *nowhere\n", "1:4: found undefined alias nowhere"),
    ("a: &a [*a]\n", "1:8: found undefined alias a"),
    ("a: {<<: 5}\n", "1:9: found << with something else than mappings"),
    ("? [a, b]\n: c\n", "1:3: found a mapping or a list as a key; keys are text"),
    ("a: !secret x\n", "1:4: found the tag !secret, which has no meaning here; remove it"),
    ("a: !!binary aGk=\n", "1:4: found the tag !!binary, which has no meaning here; remove it"),
    ("a: !!set {b}\n", "1:4: found the tag !!set, which has no meaning here; remove it"),
    ("a: !!int x\n", "1:4: found 'x' with the tag !!int"),
    ("a: !!int true\n", "1:4: found 'true' with the tag !!int"),
    ("ä: 1\nb: é\x01\n", "2:5: found the control character '\\x01'"),
    ("[" * 100_000, "1:101: found mappings and lists more than 100 deep inside each other"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[text[:12] for text, _ in REFUSED])
def test_what_is_no_yaml_is_refused_at_its_place(text: str, said: str) -> None:
    """Line and column of the mistake, what was found there, and where the thing began that has no end."""
    with pytest.raises(NotYamlError) as refused:
        yaml_reader.load(text)
    assert str(refused.value) == said


def test_aliases_of_aliases_end() -> None:
    """Ten lines that stand for ten thousand million values are refused, and not counted out."""
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 11))
    with pytest.raises(NotYamlError, match="aliases that stand for more than 1000000 values"):
        yaml_reader.load(text)


def test_a_copy_is_nobody_elses() -> None:
    """What an alias stands for can be changed without changing the original."""
    tree = yaml_reader.load("a: &a {b: [1]}\nc: *a\n")
    tree["c"]["b"].append(2)
    assert tree["a"] == {"b": [1]}


def test_a_name_given_twice_is_the_one_that_begins_last() -> None:
    """As in Go's yaml.v3 3.0.1, asked on 2026-11-26; ruamel.yaml has it so as well."""
    assert yaml_reader.load("a: &x {b: &x 1}\nc: *x\nd: &x [2]\ne: *x\n") == {"a": {"b": 1}, "c": 1, "d": [2], "e": [2]}


def test_everything_has_its_place() -> None:
    """A key is where it begins, an item where it stands; what is not there is where the nearest thing around it is."""
    document = yaml_reader.document(
        'config:\n  weir:services: # here\n    backend:\n      args: [a, "ü", b]\n      canary: {v2: 20}\n'
    )
    assert document.tree == {"config": {"weir:services": {"backend": {"args": ["a", "ü", "b"], "canary": {"v2": 20}}}}}
    backend = ("config", "weir:services", "backend")
    assert document.place(()) == (1, 1)
    assert document.place(backend) == (3, 5)
    assert document.place((*backend, "args", 2)) == (4, 22)
    assert document.place((*backend, "canary", "v2")) == (5, 16)
    assert document.place((*backend, "stable")) == (3, 5)
    assert document.place(("config", "weir:namespace")) == (1, 1)


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "~\n"])
def test_nothing_is_none(text: str) -> None:
    """An empty file has no tree, and is no error here."""
    assert yaml_reader.load(text) is None


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%@`# \n\t01.<\\x\x01", max_size=40))
def test_no_text_is_too_odd(text: str) -> None:
    """Whatever the text, it is read or refused with a place inside of it or at its end; no other error comes out."""
    try:
        document = yaml_reader.document(text)
    except NotYamlError as error:
        line, column = error.line, error.column
    else:
        line, column = max(document.places.values())
    assert 1 <= line <= text.count("\n") + 2
    assert 1 <= column <= len(text) + 1
