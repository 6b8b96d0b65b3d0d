"""Edits of stack files drawn in every style: a reader that is not weir's sees the asked field differ, and nothing
else, or the edit was refused.

The text, its tree and its comments come from `drawn_yaml`, which knows nothing of weir; what they say after an edit is
read by ruamel.yaml.
"""

from __future__ import annotations

import copy
import json
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError

from tests.unit.stack.drawn_yaml import VERSIONS, Drawn, draw
from weir.errors import UsageError
from weir.stack import yaml_reader
from weir.stack.edit import StackEdit

DRILL = {"abort": {"percentage": 0.5, "httpStatus": 503}, "until": "2026-12-01T10:00:00Z"}
EDITS = ("stable", "canary", "canary", "canary", "no canary", "drill", "no drill")


def ruamel(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReusedAnchorWarning)
        return YAML(typ="safe", pure=True).load(text)


def pyyaml(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


def read(reader: Callable[[str], Any], text: str) -> Any:
    """The tree as JSON has it: keys are text, and JSON text of services is what it says."""
    tree = json.loads(json.dumps(reader(text)))
    services = tree["config"]["weir:services"]
    if isinstance(services, str):
        tree["config"]["weir:services"] = json.loads(services)
    return tree


def readers_of(drawn: Drawn) -> list[Callable[[str], Any]]:
    """The readers that take the text for the tree that was drawn: tabs are beyond the one, `on` and merges of merges
    beyond the other.
    """
    found: list[Callable[[str], Any]] = []
    for reader in (ruamel, pyyaml):
        with suppress(YAMLError, yaml.YAMLError, ValueError):
            if read(reader, drawn.text) == drawn.plain_tree():
                found.append(reader)
    return found


def edit_and_expect(file: StackEdit, tree: Any, kind: str, service: str, version: str, percent: float) -> Any:
    """Do one edit, and return the tree that it should give."""
    expected = copy.deepcopy(tree)
    settings = expected["config"]["weir:services"][service]
    if kind == "stable":
        file.set_stable(service, version)
        settings["stable"] = version
    elif kind == "canary":
        file.set_canary(service, version, Decimal(str(percent)))
        canary = settings["canary"] = settings.get("canary") or {}
        if str(canary.get(version)) != str(percent):  # "20" is 20 already
            canary[version] = percent
    elif kind == "no canary":
        file.set_canary(service, version, None)
        (settings.get("canary") or {}).pop(version, None)
    elif kind == "drill":
        file.set_drill(service, DRILL)
        settings["drill"] = DRILL
    else:
        file.remove_drill(service)
        settings.pop("drill", None)
    return expected


def lines_with(comments: list[str], text: str) -> list[str]:
    """The lines that these comments are in."""
    return [line for line in text.splitlines() if any(comment in line for comment in comments)]


def judge(path: Path, drawn: Drawn, readers: list[Callable[[str], Any]], random: Random) -> str:
    """Make a drawn edit of a drawn file, check it, and say how it ended."""
    data = drawn.text.encode()
    path.write_bytes(data)
    tree = drawn.plain_tree()
    kind, service = random.choice(EDITS), random.choice(list(tree["config"]["weir:services"]))
    canary = tree["config"]["weir:services"][service].get("canary") or {}
    version = random.choice((*canary, *canary, *VERSIONS))
    file = StackEdit(path)
    try:
        expected = edit_and_expect(file, tree, kind, service, version, random.choice((0, 5, 20, 0.25)))
    except UsageError as error:
        said = str(error)
        assert said.startswith(f"{path}:"), said
        assert "nothing was changed: " in said
        assert f"weir:services.{service}." in said
        assert "\n" not in said
        assert file.text == file.original
        assert path.read_bytes() == data
        return f"refused: {kind}"
    file.write()
    text = path.read_bytes().decode()
    assert all(read(reader, text) == expected for reader in readers), text
    assert text == file.text
    kept = [comment for comment in drawn.comments if comment in text]
    assert kept == sorted(kept, key=text.index), text
    if not kind.startswith("no") and not (kind == "drill" and "drill" in tree["config"]["weir:services"][service]):
        assert kept == drawn.comments, text
    gone = [number for number, comment in enumerate(drawn.comments) if comment not in kept]
    # They are of one value. What stays between them stood on a line of its own.
    between = [drawn.comments[number] for number in range(gone[0], gone[-1]) if number not in gone] if gone else []
    assert all(line.lstrip("\ufeff ").startswith("#") for line in lines_with(between, drawn.text)), text
    assert text.startswith("\ufeff") == drawn.text.startswith("\ufeff")
    assert ("\r\n" in drawn.text and text.replace("\r\n", "").count("\n") == 0) or "\r" not in text
    return f"{'changed' if text != drawn.text else 'same'}: {kind}"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawn") / "Pulumi.dev.yaml"


@settings(max_examples=150, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_every_style_is_edited_alone_or_refused(path: Path, random: Random) -> None:
    """Anchors, merges, tags, explicit keys and all the rest: what was not asked for stays, comments too."""
    drawn = draw(random, common=False)
    readers = readers_of(drawn)
    assume(readers)
    event(judge(path, drawn, readers, random))


@settings(max_examples=150, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_common_styles_are_never_refused(path: Path, random: Random) -> None:
    """Blocks, flow, quotes, comments, line ends and JSON text as people and Pulumi write them; one line is another, or
    one more or less.
    """
    drawn = draw(random, common=True)
    readers = readers_of(drawn)
    assume(readers)
    ended = judge(path, drawn, readers, random)
    event(ended)
    assert not ended.startswith("refused")
    old, new = (text.splitlines() for text in (drawn.text, path.read_bytes().decode()))
    if ended in ("changed: stable", "changed: canary"):
        assert len(set(old) - set(new)) <= 1
        assert len(set(new) - set(old)) <= 1


_MARKS = re.findall(
    r"\S+",
    "config: weir:services: web: canary: stable: drill: {v2: 20} &a *a !!map !x | >- ? : - # { } [ ] , ' \" ~ null 😀",
)
_BLANKS = re.split("/", " /\t/\n/\r\n/\n  /\n    /\n      /---\n/...\n/%YAML 1.1\n/\ufeff/\x85/\u2028/\x00/\x01")
WORDS = st.sampled_from(
    (*_MARKS, *_BLANKS, "<<: *a", "2020-01-01", ".nan", "# c", "v2: 20", '\'{"web": {"canary": {"v2": 20}}}\'')
)


_WEB = "config:\n  weir:services:\n    web:"
AROUND = st.sampled_from(
    (
        "HERE",
        f"{_WEB} HERE",
        f"{_WEB} {{canary: HERE, x: [*a]}}",
        f"{_WEB} {{canary: &a {{HERE}}, x: *a}}",
        f"{_WEB}\n      canary:HERE\n      stable: v1",
    )
)


@settings(max_examples=300, deadline=None)
@given(
    data=st.binary(max_size=60)
    | st.tuples(AROUND, st.lists(WORDS, max_size=12)).map(
        lambda drawn: drawn[0].replace("HERE", "".join(drawn[1])).encode()
    )
    | st.tuples(st.randoms(use_true_random=False), st.lists(st.tuples(st.integers(0, 10**6), WORDS), max_size=3)).map(
        lambda pair: spoiled(*pair)
    ),
    kind=st.sampled_from(sorted(set(EDITS))),
)
@example(data=b'config:\n  weir:services:\n    web: \'{"web": {"canary": {"v2": 20}}}\'', kind="canary")
def test_whatever_the_bytes_are_an_edit_ends_in_a_message_or_is_right(path: Path, data: bytes, kind: str) -> None:
    """No other error comes out, and what was refused has changed neither the text nor the file."""
    path.write_bytes(data)
    try:
        file = StackEdit(path)
        before = file.text
        edit_and_expect(file, {"config": {"weir:services": {"web": {}}}}, kind, "web", "v2", 5)
        file.write()
    except UsageError as refusal:
        event("refused")
        assert "\n" not in str(refusal)  # noqa: PT017
        assert path.read_bytes() == data
        return
    event("changed" if file.text != before else "same")
    tree = yaml_reader.load(file.text.removeprefix("\ufeff"))["config"]["weir:services"]
    settings = (json.loads(tree) if isinstance(tree, str) else tree)["web"]
    wanted = {"stable": "v2", "canary": 5, "no canary": None, "drill": DRILL, "no drill": None}[kind]
    canary = settings.get("canary") or {}
    found = canary.get("v2") if "canary" in kind else settings.get(kind.removeprefix("no "))
    assert found == wanted or (kind == "canary" and Decimal(str(found)) == 5)


def spoiled(random: Random, places: list[tuple[int, str]]) -> bytes:
    """A drawn text with something put into it here and there."""
    text = draw(random, common=False).text
    for place, word in places:
        place %= len(text) + 1
        text = text[:place] + word + text[place:]
    return text.encode()
