"""The comment as GitHub's rules read it: exactly the elements of the template, and every text as it is, whatever texts
hold.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from weir.cli.diff import markdown
from weir.markdown import block, code
from weir.visible import in_one_line, visible

ROOT = Path(__file__).resolve().parents[3]
# CommonMark with raw HTML, and what GitHub adds to it that changes the elements.
RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = [
    "<details>",
    "</details><img src=x>",
    "<!-- weir: preview of all stacks -->",
    "![](https://evil.example/x.png)",
    "[a](javascript:b)",
    "@acme/everybody fixes #1 0123456789abcdef0123456789abcdef01234567",
    "`",
    "``` ` ``",
    "```text",
    " `a` ",
    "  ",
    "",
    "a\n\n# b\n- c\n```\n",
    "| a |\n| - |",
    "**a** ~~b~~ _c_ \\`",
    "&lt;&#96;",
    "~~~",
    "\x1b[2J\u202e",
]
TEXT = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.sampled_from("`<>!-[]()@#|*_~\\&: \n\tab1=\"'"), max_size=30),
    st.text(max_size=30),
)
ITEM = "paragraph_open inline paragraph_close"


def elements(text: str) -> list[str]:
    """The blocks of the text as HTML has them, in order, raw HTML word for word."""
    return [token.content.strip() if token.type == "html_block" else token.type for token in RENDERER.parse(text)]


def spans(text: str) -> list[tuple[str, str]]:
    """Type and content of everything in the lines of the text, without the marks of strong text; breaks included."""
    found = []
    for token in RENDERER.parse(text):
        for child in token.children or ():
            if child.type not in ("strong_open", "strong_close") and (child.type, child.content) != ("text", ""):
                found.append((child.type, child.content))
    return found


def codes(text: str) -> list[str]:
    """The contents of the code spans; there is nothing else in the text but text."""
    assert {kind for kind, _ in spans(text)} <= {"code_inline", "text", "softbreak", "html_inline"}
    return [content for kind, content in spans(text) if kind == "code_inline"]


def written(text: str) -> str:
    """What stands around the code spans."""
    return "".join(content for kind, content in spans(text) if kind == "text")


def told(text: str) -> str:
    return in_one_line(text) or " "


@settings(deadline=None)
@given(TEXT)
@example(" ")
@example(" a")
@example("a ")
def test_a_code_span_has_the_text_and_nothing_else(text: str) -> None:
    """Whatever it begins or ends with, and however many backticks are in it."""
    for where in (f"- {code(text)}", f"x {code(text)} y {code(text)}", f"**{code(text)}**: z"):
        assert set(codes(where)) == {told(text)}
        assert re.fullmatch(r"|x  y |: z", written(where))
        assert "html_inline" not in dict(spans(where))


@settings(deadline=None)
@given(TEXT)
def test_a_block_has_the_text_and_nothing_else(text: str) -> None:
    """No line of it ends the block."""
    [fence] = RENDERER.parse(block(text))
    assert (fence.type, fence.info, fence.content) == ("fence", "text", f"{visible(text)}\n")


PREVIEWS = st.dictionaries(TEXT, st.lists(TEXT, min_size=1, max_size=3), max_size=4)


@settings(max_examples=60, deadline=None)
@given(TEXT, PREVIEWS, st.dictionaries(TEXT, st.just({"created": 1}), max_size=2))
def test_what_an_update_changes_is_text(
    stack: str, services: dict[str, list[str]], others: dict[str, dict[str, int]]
) -> None:
    """One line that says it all, then a fold with one item for each change: that is all there is, and each text is
    whole.
    """
    text = markdown(stack, services, others)
    lines = [f"{name}: {line}" for name, told in services.items() for line in told]
    lines += [f"other objects: {', '.join(f'1 {kind} created' for kind in others)}"] if others else []
    opened = ["<details><summary>All changes</summary>", "bullet_list_open"] if lines else []
    item = ["list_item_open", "paragraph_open", "inline", "paragraph_close", "list_item_close"]
    closed = ["bullet_list_close", "</details>"] if lines else []
    assert elements(text) == ["paragraph_open", "inline", "paragraph_close", *opened, *(item * len(lines)), *closed]
    first = [f"{name}: {told[0]}" for name, told in services.items()][:3]
    assert codes(text) == [told(each) for each in (stack, *first, *lines)]
    assert re.fullmatch(r": (traffic does not change(; other objects do)?|(; ){0,2}(; \d+ more)?)", written(text))


def words(command: str, *arguments: str, cwd: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    # As in the job that writes the comment: Python and the checkout, and no package.
    done = subprocess.run(
        [
            sys.executable,
            *(["-S"] if command == "comment" else []),
            str(ROOT / "scripts" / "ci" / "words.py"),
            command,
            *arguments,
        ],
        cwd=cwd,
        env={**environment, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def saved(directory: Path, said: Sequence[str], policies: Sequence[tuple[str, str]], severity: str) -> None:
    """What pulumi leaves of a preview that says these things."""
    found = [{"severity": severity, "message": f"{severity}: {text}"} for text in said]
    (directory / "dev.json").write_text(json.dumps({"steps": [], "changeSummary": {}, "diagnostics": found}))
    (directory / "dev.err").write_text("error: preview failed\n")
    events: list[dict[str, Any]] = [
        {"policyEvent": {"policyName": name, "enforcementLevel": "mandatory", "message": f"Rules.\n{text}"}}
        for name, text in policies
    ]
    (directory / "dev.events").write_text("\n".join(map(json.dumps, events)))


def test_what_policies_and_warnings_say_is_text(tmp_path: Path) -> None:
    """Each is an item of its own below the first line, behind the name of what says it; the whole comment has nothing
    more.
    """
    texts = [text for text in HOSTILE if text.strip()]
    saved(tmp_path, texts, [(f"{text} ", text) for text in texts], "warning")
    (tmp_path / "dev.md").write_text(words("preview", "dev", "dev", "1", cwd=tmp_path))
    comment = words("comment", ".", "dev", "prod `<b>", cwd=tmp_path)
    shown = [told(" ".join(text.split())) for text in texts]
    names = [told(f"{text} ") for text in texts]
    assert codes(comment) == [
        "dev",
        *names,
        *(each for both in zip(names, shown, strict=True) for each in both),
        *shown,
        "prod `<b>",
    ]
    assert [content for kind, content in spans(comment) if kind == "html_inline"] == ["<sub>", "</sub>"]
    assert [each for each in elements(comment) if each.startswith("<")] == ["<!-- weir: preview of all stacks -->"]
    assert re.fullmatch(
        r": traffic does not change – refused by (, )*((❌|⚠️) (: )?)*: no preview: the run says whythe run",
        written(comment),
    )


@settings(max_examples=6, deadline=None)
@given(st.lists(TEXT.filter(lambda text: text.strip() != "" and "\r" not in text), min_size=1, max_size=5))
def test_why_there_is_no_preview_is_text(tmp_path_factory: Any, said: list[str]) -> None:
    """The first line is told first, and all of them are below it."""
    directory = tmp_path_factory.mktemp("why")
    saved(directory, said, [], "error")
    text = words("preview", "dev", "dev", "1", cwd=directory)
    lines = [
        line
        for each in dict.fromkeys(f"error: {each}".strip().removeprefix("error: ") for each in said)
        for line in each.split("\n")
        if line.strip()
    ]
    below = lines if len(lines) > 1 else []
    assert codes(text) == ["dev", *map(told, lines[:1]), *map(told, below)]
    assert written(text) == ": no preview: "
    assert [each for each in elements(text) if each.startswith("<")] == (
        ["<details><summary>Why</summary>", "</details>"] if below else []
    )
