"""Building tools: once per content, whole or not at all, with the compiler's words when it fails."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.progress import Progress
from lab.tools import catalog
from lab.tools.build import Built, build_all, locate
from lab.tools.catalog import Binary, Module

TOOL = Module("tool", (Binary("tool", ".", 1, ("main.version=1.2.3",)),))
MAIN = 'package main\n\nvar version = "none"\n\nfunc main() { println(version) }\n'


@pytest.fixture(scope="module")
def go_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the module's tests: Go's own runtime is compiled once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def source(tmp_path: Path, go_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go module of one file, and a cache of the tests' own."""
    monkeypatch.setenv("WEIR_CACHE", str(go_cache))
    monkeypatch.setattr(catalog, "MODULES_DIR", tmp_path)
    monkeypatch.setattr("lab.tools.build._NEED_BYTES_PER_SECOND", 1)
    directory = tmp_path / "tool"
    directory.mkdir()
    (directory / "go.mod").write_text(f"module weir/{tmp_path.name.replace('_', '-')}\n\ngo 1.26\n")
    (directory / "main.go").write_text(MAIN)
    return directory


def build() -> Built:
    return build_all(Progress(), (TOOL,))["tool"]


def test_a_tool_is_built_once(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time nothing is run: not even a go that would fail."""
    first = build().path("tool")
    stamp = first.stat().st_mtime_ns
    monkeypatch.setenv("WEIR_TOOL_GO", "/nowhere/go")
    assert build().path("tool") == first
    assert first.stat().st_mtime_ns == stamp


def test_another_source_is_another_tool(source: Path) -> None:
    """The key is the content: a changed source does not meet the binary of the old one."""
    before = locate(TOOL).directory
    (source / "main.go").write_text(MAIN.replace("none", "other"))
    assert locate(TOOL).directory != before


def test_a_tool_that_does_not_build_says_why(source: Path) -> None:
    """The compiler's own line, the way out, and no binary left."""
    (source / "main.go").write_text("package main\n\nfunc main() { no such thing }\n")
    with pytest.raises(LabError) as failed:
        build()
    assert "main.go:3" in str(failed.value)
    assert "WEIR_TOOL_TOOL" in str(failed.value)
    assert not locate(TOOL).path("tool").exists()


def test_two_builds_at_once_do_not_harm_each_other(source: Path) -> None:
    """Both end with the same whole binary."""
    results: list[Path] = []
    threads = [threading.Thread(target=lambda: results.append(build().path("tool"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(results) == 2
    assert results[0] == results[1]
    assert results[0].stat().st_size > 100_000


def test_an_old_go_is_refused(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A go named by variable that is too old is refused, not silently replaced."""
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go version go1.19 linux/amd64\n")
    old.chmod(0o755)
    monkeypatch.setenv("WEIR_TOOL_GO", str(old))
    with pytest.raises(LabError, match=r"Go 1\.19; 1\.26 or newer is needed"):
        build()
