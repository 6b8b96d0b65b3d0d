"""The pages that nobody runs: what they name is there, and none is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATH = re.compile(r"`([\w./-]+(?:/|\.(?:py|md|yaml|toml|json)))`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")
ROW = re.compile(r"\| \[(\d{4})\]\((\S+)\) \| (.+?) \| (\w+) \| ([\d-]+) \| \S.* \|")
HEADS = ["Context", "Alternatives", "Decision", "Consequence"]
NO_PROSE = re.compile(r"^ *```.*?^ *```$|^ *[|>].*?$", re.DOTALL | re.MULTILINE)
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", ["docs/ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    """Files and directories in backticks, seen from the root of the repository."""
    named = PATH.findall((ROOT / page).read_text())
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    """Links to other pages and files of the repository."""
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_are_short(page: Path) -> None:
    """Under 120 characters, but for code, tables, quotations and what is made from the model."""
    made = page.name == "config.md"
    assert [line for line in NO_PROSE.sub("", page.read_text()).splitlines() if len(line) >= 120 and not made] == []


def test_the_list_of_decisions_has_each_of_them() -> None:
    """Number, file, title, status and date, as each decision has them, in order."""
    assert ROW.findall((DECISIONS[0].parent / "README.md").read_text()) == [_row(file) for file in DECISIONS]


def _row(file: Path) -> tuple[str, ...]:
    number, title = file.read_text().partition("\n")[0].removeprefix("# ").split(": ", 1)
    [status] = re.findall(r"^- Status: (\w+)", file.read_text(), re.MULTILINE)
    [date] = re.findall(r"^- Date: (\d{4}-\d\d-\d\d)$", file.read_text(), re.MULTILINE)
    return number, file.name, title, status, date


@pytest.mark.parametrize("file", DECISIONS, ids=lambda file: file.stem)
def test_every_decision_has_its_heads(file: Path) -> None:
    """Context, decision and consequence, in that order; alternatives before the decision, where some were looked at."""
    heads = re.findall(r"^## (.+)$", file.read_text(), re.MULTILINE)
    assert heads in (HEADS, [head for head in HEADS if head != "Alternatives"])
    assert file.name.startswith(f"{_row(file)[0]}-")
