"""Edits of a stack file change the split and leave all else as people wrote it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from weir.errors import UsageError
from weir.stack import stackfile, yaml_reader
from weir.stack.edit import StackEdit

HEAD = "# top\nconfig:\n  weir:namespace: demo # here\n  weir:services:\n"
FLOW = HEAD + (
    "    backend:\n      stable: v1 # gets the rest\n      canary: {v2: 20, v3: 5} # moves\n      port: 80\n  "
    "weir:clients: {}\n"
)
BLOCK = HEAD + (
    "    backend:\n      stable: 'v1'\n      canary:\n        # the new one\n        v2: 20 # careful\n        "
    "v3: 5\n\n      port: 80\n"
)
BARE = HEAD + "    backend:\n      versions: {v1: {}}\n      stable: v1 # gets the rest\n    other: {stable: a}\n"
ONE_LINE = HEAD + "    backend: {stable: v1, versions: {v1: {}}}\n"


def edited(tmp_path: Path, text: str, *edits: Callable[[StackEdit], None]) -> str:
    """The file after the edits."""
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    edit = StackEdit(path)
    for change in edits:
        change(edit)
    edit.write()
    stackfile.read(path)
    return path.read_bytes().decode()


def canary(version: str, percent: str | None) -> Callable[[StackEdit], None]:
    return lambda edit: edit.set_canary("backend", version, None if percent is None else Decimal(percent))


def stable(version: str) -> Callable[[StackEdit], None]:
    return lambda edit: edit.set_stable("backend", version)


@pytest.mark.parametrize(
    ("text", "edits", "old", "new"),
    [
        (FLOW, [canary("v2", "50")], "{v2: 20, v3: 5}", "{v2: 50, v3: 5}"),
        (FLOW, [canary("v2", "0.5")], "{v2: 20, v3: 5}", "{v2: 0.5, v3: 5}"),
        (FLOW, [canary("v4", "1")], "{v2: 20, v3: 5}", "{v2: 20, v3: 5, v4: 1}"),
        (FLOW, [canary("v2", None)], "{v2: 20, v3: 5}", "{v3: 5}"),
        (FLOW, [canary("v2", None), canary("v3", None)], "{v2: 20, v3: 5}", "{}"),
        (
            FLOW,
            [stable("v2"), canary("v2", None)],
            "stable: v1 # gets the rest\n      canary: {v2: 20, v3: 5}",
            "stable: v2 # gets the rest\n      canary: {v3: 5}",
        ),
        (BLOCK, [canary("v2", "50")], "v2: 20 # careful", "v2: 50 # careful"),
        (BLOCK, [canary("v4", "1")], "        v3: 5\n", "        v3: 5\n        v4: 1\n"),
        (BLOCK, [canary("v3", None)], "        v3: 5\n", ""),
        (BLOCK, [stable("v3")], "stable: 'v1'", "stable: 'v3'"),
        (
            BARE,
            [canary("v2", "20")],
            "stable: v1 # gets the rest\n",
            "stable: v1 # gets the rest\n      canary: {v2: 20}\n",
        ),
        (BARE, [canary("v2", None)], "", ""),
        (ONE_LINE, [canary("v2", "20")], "{stable: v1, versions", "{stable: v1, canary: {v2: 20}, versions"),
    ],
)
def test_only_the_split_changes(
    tmp_path: Path, text: str, edits: list[Callable[[StackEdit], None]], old: str, new: str
) -> None:
    """Comments, order, quotes and blank lines stay; what changes is the value itself, or one line."""
    assert old in text
    assert edited(tmp_path, text, *edits) == text.replace(old, new, 1)


DRILL = {"delay": {"percentage": 50, "fixedDelay": "3s"}, "until": "2026-11-25T14:00:00Z"}
WRITTEN = "drill: {delay: {percentage: 50, fixedDelay: 3s}, until: '2026-11-25T14:00:00Z'}"


@pytest.mark.parametrize("text", [FLOW, BLOCK, BARE, ONE_LINE])
def test_a_drill_comes_and_goes(tmp_path: Path, text: str) -> None:
    """It is one line, or one entry, and taking it out leaves the file as it was to the last character."""
    with_drill = edited(tmp_path, text, lambda edit: edit.set_drill("backend", DRILL))
    assert with_drill.replace(WRITTEN, "") != with_drill
    assert edited(tmp_path, with_drill, lambda edit: edit.remove_drill("backend")) == text
    assert edited(tmp_path, text, lambda edit: edit.remove_drill("backend")) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            HEAD
            + (
                "    backend:\n      drill:\n        delay: {percentage: 5, fixedDelay: 1s}\n        until: x # "
                "soon\n      # the port\n      port: 80\n"
            ),
            HEAD + "    backend:\n      # the port\n      port: 80\n",
        ),
        (HEAD + "    backend: {drill: {until: x}, stable: v1}\n", HEAD + "    backend: {stable: v1}\n"),
        (HEAD + "    backend:\n      stable: v1\n      drill: {until: x}", HEAD + "    backend:\n      stable: v1\n"),
    ],
)
def test_a_drill_written_by_hand_goes_too(tmp_path: Path, text: str, left: str) -> None:
    """As a block, as the first of several in one line, or as the last line of the file; comments of other keys stay."""
    assert edited(tmp_path, text, lambda edit: edit.remove_drill("backend")) == left


def test_a_block_with_one_canary_can_be_emptied(tmp_path: Path) -> None:
    """The last canary of a block leaves an empty mapping, which is still YAML."""
    text = HEAD + "    backend:\n      canary:\n        v2: 20\n      stable: v1\n"
    assert edited(tmp_path, text, canary("v2", None)) == HEAD + "    backend:\n      canary: {}\n      stable: v1\n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "    backend:\n      versions:\n        v1: # of last week\n          replicas: 2\n        # the new one\n"
            "        v2: {}\n      stable: v2\n      canary: {v1: 0, v3: 5}\n",
            "    backend:\n      versions:\n        # the new one\n        v2: {}\n      stable: v2\n"
            "      canary: {v3: 5}\n",
        ),
        (
            "    backend: {versions: {v1: {}, v2: {}}, stable: v2}\n",
            "    backend: {versions: {v2: {}}, stable: v2}\n",
        ),
        ("    backend: {versions: {v2: {}}, stable: v2}\n", "    backend: {versions: {v2: {}}, stable: v2}\n"),
    ],
)
def test_a_version_goes_with_its_share(tmp_path: Path, text: str, left: str) -> None:
    """Its lines alone, and nothing where it is gone already."""
    assert edited(tmp_path, HEAD + text, lambda edit: edit.remove_version("backend", "v1")) == HEAD + left


def test_somebody_elses_change_is_not_lost(tmp_path: Path) -> None:
    """A file that was changed since it was read is not overwritten."""
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(FLOW)
    edit = StackEdit(path)
    edit.set_stable("backend", "v2")
    path.write_text(BLOCK)
    with pytest.raises(UsageError, match="changed by somebody else"):
        edit.write()
    assert path.read_text() == BLOCK


SHARED = HEAD + (
    "    web:\n      stable: v1\n      canary: &split {v2: 20}\n    api:\n      stable: v1\n      canary: *split "
    "# as web\n"
)
DEFAULTS = (
    "base: &base\n  canary: {v2: 20, v4: 1}\n" + HEAD + "    web:\n      <<: *base\n      stable: v1 # gets the rest\n"
)
MERGED = "base: &base {v2: 20, v4: 1}\n" + HEAD + "    web:\n      canary:\n        <<: *base\n        v5: 1 # new\n"
WHOLE = HEAD + "    api: &api\n      stable: v1\n      canary: {v2: 20}\n    web: *api\n"
FLOWED = HEAD + "    web: {stable: v1, canary: {\n      v2: 20, # one\n      v3: 5 # two\n    }} # three\n"
JSON = (
    'config:\n  weir:services: \'{"web": {"stable":"v1", "canary": {"v2": 20}, "env": {"A": "it\'\'s"}}}\' # by '
    "config set\n"
)
LINES = 'config:\n  weir:services: |\n    {"web": {\n      "canary": {"v2": 20}\n    }}\n  weir:namespace: demo\n'
WATCHED = HEAD + "    web:\n      stable: v1\n      canary: # watched by sre\n        v2: 20\n      port: 80\n"
CRLF = (
    "\ufeff---\r\n"
    + HEAD.replace("\n", "\r\n")
    + "    web:\r\n      stable: v1\t# tab\there\r\n      canary:\r\n        v2: 20"
)


@pytest.mark.parametrize(
    ("text", "service", "version", "percent", "old", "new"),
    [
        (WATCHED, "web", "v3", "5", "        v2: 20\n", "        v2: 20\n        v3: 5\n"),
        (WATCHED, "web", "v2", None, "canary: # watched by sre\n        v2: 20\n", "canary: {} # watched by sre\n"),
        (SHARED, "api", "v2", "50", "canary: *split # as web", "canary: {v2: 50} # as web"),
        (SHARED, "web", "v3", "5", "canary: &split {v2: 20}", "canary: {<<: &split {v2: 20}, v3: 5}"),
        (SHARED, "web", "v2", "0", "canary: &split {v2: 20}", "canary: {<<: &split {v2: 20}, v2: 0}"),
        (SHARED.replace("v2", "2"), "web", "2", "0", "canary: &split {2: 20}", "canary: {<<: &split {2: 20}, 2: 0}"),
        (MERGED.replace("v2", "2"), "web", "2", "50", "v5: 1 # new\n", "v5: 1 # new\n        2: 50\n"),
        (MERGED.replace("v2", "'2'"), "web", "2", "50", "v5: 1 # new\n", "v5: 1 # new\n        '2': 50\n"),
        (DEFAULTS, "web", "v3", "5", " # gets the rest\n", " # gets the rest\n      canary: {v2: 20, v4: 1, v3: 5}\n"),
        (MERGED, "web", "v2", "50", "v5: 1 # new\n", "v5: 1 # new\n        v2: 50\n"),
        (WHOLE, "web", "v2", "50", "web: *api", "web: {<<: *api, canary: {v2: 50}}"),
        (FLOWED, "web", "v2", "50", "v2: 20, # one", "v2: 50, # one"),
        (FLOWED, "web", "v4", "1", "v3: 5 # two", "v3: 5, v4: 1 # two"),
        (FLOWED, "web", "v2", None, "      v2: 20, # one\n", ""),
        (JSON, "web", "v2", "50", '"v2": 20', '"v2": 50'),
        (JSON, "web", "v3", "5", '"v2": 20', '"v2": 20, "v3": 5'),
        (LINES, "web", "v2", "50", '"v2": 20', '"v2": 50'),
        (CRLF, "web", "v2", "50", "v2: 20", "v2: 50"),
        (CRLF, "web", "v3", "5", "v2: 20", "v2: 20\r\n        v3: 5"),
        *(
            (empty, "web", "v2", "20", " canary:" + was, " canary: {v2: 20}" + left)
            for was, left, empty in (
                (
                    was,
                    left,
                    WATCHED.replace("# watched by sre\n        v2: 20\n", "").replace(" canary: ", f" canary:{was}\n"),
                )
                for was, left in (
                    ("", ""),
                    (" {}", ""),
                    (" null", ""),
                    (" ~", ""),
                    (" # none", " # none"),
                    (" !!null", ""),
                )
            )
        ),
        (ONE_LINE.replace("stable: v1", "stable: v1, canary"), "backend", "v2", "20", ", canary", ", canary: {v2: 20}"),
        (HEAD + '    web:\n      ? "canary"\n      : {v2: !!int 20}\n', "web", "v2", "0.5", "!!int 20", "0.5"),
        (HEAD + "    web:\n      canary: {v2: '20'}\n", "web", "v2", "20", "", ""),
    ],
)
def test_the_one_canary_moves_however_it_is_written(
    tmp_path: Path, text: str, service: str, version: str, percent: str | None, old: str, new: str
) -> None:
    """Comments, anchors, aliases, merges, JSON text, CRLF: one service changes, every other canary and all other
    characters stay.
    """
    assert old in text
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_bytes(text.encode())
    edit = StackEdit(path)
    edit.set_canary(service, version, None if percent is None else Decimal(percent))
    edit.write()
    assert path.read_bytes().decode() == text.replace(old, new, 1)


TEXT = "config:\n  weir:services: '{\"web\": SETTINGS}'\n"
IN_ONE = "config:\n  weir:services:\n    web: SETTINGS\n"
BASE = HEAD + "    web: &web\n      stable: v1\n      canary: {v2: 20}\n    api: {<<: *web, port: 80}\n"


@pytest.mark.parametrize(
    ("text", "edit", "said"),
    [
        (
            BASE,
            lambda edit: edit.set_canary("web", "v3", Decimal(5)),
            "FILE:7:7: weir:services.api.canary.v3 (FILE:8:5) would change as well: an anchor (&) shares its text with "
            "weir:services.web.canary.v3; nothing was changed: write weir:services.web.canary: {v2: 20, v3: 5} by hand, "
            "apart from the others",
        ),
        (
            SHARED,
            lambda edit: edit.set_canary("web", "v2", None),
            "FILE:7:23: weir:services.api.canary.v2 (FILE:10:7) would change as well: an anchor (&) shares its text "
            "with weir:services.web.canary.v2; nothing was changed: take weir:services.web.canary.v2 out by hand, apart "
            "from the others",
        ),
        (
            HEAD + "    web: {<<: {drill: {until: x}}, stable: v1}\n",
            lambda edit: edit.remove_drill("web"),
            "FILE:5:5: weir:services.web.drill cannot be edited in place without changing other text; nothing was "
            "changed: take weir:services.web.drill out by hand",
        ),
        (
            HEAD + "    web: {canary: [1]}\n",
            lambda edit: edit.set_canary("web", "v2", Decimal(5)),
            (
                "FILE:5:11: weir:services.web.canary is not a mapping from version to percent; nothing was changed: "
                "correct it by hand"
            ),
        ),
        (
            TEXT.replace("SETTINGS", '{"stable": "v1", "stable": "v2"}'),
            lambda edit: edit.set_stable("web", "v3"),
            (
                "FILE:2:3: weir:services is a string that is not valid JSON or has a key twice; nothing was "
                "changed: write it as YAML by hand"
            ),
        ),
        (
            HEAD + '    web: \'{"stable": "v1"}\'\n',
            lambda edit: edit.set_stable("web", "v2"),
            "FILE:5:5: weir:services.web is a string and must be a mapping; nothing was changed: write it as YAML "
            "by hand",
        ),
        (
            HEAD + "    web: [v1]\n",
            lambda edit: edit.set_stable("web", "v2"),
            "FILE: has no service web under weir:services; nothing was changed",
        ),
        (
            "config: {a: [\n",
            lambda edit: edit.set_stable("web", "v2"),
            "FILE:2:1: is not valid YAML: did not find expected node content; correct it there, or on the lines before",
        ),
    ],
)
def test_what_cannot_be_changed_alone_is_refused(
    tmp_path: Path, text: str, edit: Callable[[StackEdit], None], said: str
) -> None:
    """One line with the place, the others that would change, and the key and value to write by hand; text and file
    stay.
    """
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    file = StackEdit(path)
    with pytest.raises(UsageError) as refused:
        edit(file)
    assert str(refused.value) == said.replace("FILE", str(path))
    assert file.text == file.original == text


@pytest.mark.parametrize("loader", ["CBaseLoader", "BaseLoader"])
def test_places_are_the_same_without_libyaml(tmp_path: Path, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML built from source finds the same places."""
    monkeypatch.setattr(yaml_reader, "_Loader", getattr(yaml, loader))
    text = (
        CRLF.replace("\t# tab", " # tab")
        .replace("    web", "    ü: &a !!map {canary: *x}\r\n    web")
        .replace("config", "x: &x {}\r\nconfig")
    )
    assert edited(tmp_path, text, lambda edit: edit.set_canary("ü", "v3", Decimal(5))) == text.replace("*x", "{v3: 5}")


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("SETTINGS", '{"canary": {"v2": ' + "9" * 6000 + "}}"),
        TEXT.replace("SETTINGS", '{"a":' * 3000 + "1" + "}" * 3000),
        TEXT.replace("SETTINGS", '{"canary": {"v2": 5, "v2": 6}}'),
        TEXT.replace("SETTINGS", '{"canary": {"v2": NaN}, "A": "a\\/b\\ud83d\\ude00"}'),
        'config:\n  weir:services: "{\\t\\"web\\":\\t{\\"canary\\":{}}}"\n',
        IN_ONE.replace("SETTINGS", "{canary: &c {v2: 2020-01-01}, x: *c}"),
        IN_ONE.replace("SETTINGS", "{canary: &c {v2: .inf, v3: .nan}, x: *c}"),
        IN_ONE.replace("SETTINGS", "{canary: &c {v2: {v2: 1}}, x: *c}"),
        IN_ONE.replace("SETTINGS", "{canary: [1], stable: [*x]}"),
        IN_ONE.replace("SETTINGS", "{canary: {v2: " + "9" * 6000 + "}}"),
        IN_ONE.replace("SETTINGS", "{canary: {" + "k" * 2000 + ": 5}}"),
        "config: " + "[" * 3000,
        FLOW.replace("\n", "\r"),
        FLOW.replace("# gets", "#\x85 gets"),
        FLOW + "---\nx: 1\n",
        "",
        "config:\n  weir:services:\n",
    ],
    ids=lambda text: text[:70],
)
def test_odd_files_end_in_a_message_or_a_sound_edit(tmp_path: Path, text: str) -> None:
    """Numbers of 6,000 digits, JSON 3,000 deep or with a key twice, dates, infinities, two documents: no other error
    comes out.
    """
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_bytes(text.encode())
    changes: list[Callable[[StackEdit], None]] = [
        lambda edit: edit.set_canary("web", "v2", Decimal(50)),
        lambda edit: edit.set_canary("web", "v3", Decimal("0.5")),
        lambda edit: edit.set_canary("web", "v2", None),
        lambda edit: edit.set_stable("web", "v7"),
        lambda edit: edit.set_drill("web", DRILL),
        lambda edit: edit.remove_drill("web"),
    ]
    for change in changes:
        file = StackEdit(path)
        try:
            change(file)
        except UsageError as refusal:
            assert "\n" not in str(refusal)  # noqa: PT017
            assert file.text == text
        else:
            assert yaml_reader.load(file.text)["config"].keys() == {"weir:services"}
