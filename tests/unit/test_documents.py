"""The pages that nobody runs: what they name is there, and none is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATH = re.compile(r"`([\w./-]+(?:/|\.(?:py|md|yaml|toml|json)))`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("page", ["docs/ARCHITECTURE.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    """Files and directories in backticks, seen from the root of the repository."""
    named = PATH.findall((ROOT / page).read_text())
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    """Links to other pages and files of the repository."""
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []
