"""The provider that is kept: the engine's own file, unless somebody says otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from weir.engine.kept import let_go
from weir.engine.provider import VARIABLE, provider, setting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing would end it with this process")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of Pulumi's with a provider that says its port, as they all do."""
    directory = tmp_path / "plugins" / f"resource-kubernetes-v{version('pulumi-kubernetes')}"
    directory.mkdir(parents=True)
    file = directory / "pulumi-resource-kubernetes"
    file.write_text("#!/bin/sh\necho 12345\nexec sleep 60\n")
    file.chmod(0o755)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    yield tmp_path
    let_go()


def test_the_engine_is_told_where_it_is(home: Path) -> None:
    """By its port, and that of the same process each time; another is started once it has ended."""
    first = provider()
    assert first is not None
    assert setting() == {VARIABLE: "kubernetes:12345"}
    assert provider() is first
    let_go()
    assert not Path(f"/proc/{first.pid}").exists()
    assert first.place == ""
    assert setting() == {VARIABLE: "kubernetes:12345"}
    assert provider() is not first


def test_what_the_user_says_goes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who debugs a provider has it used."""
    monkeypatch.setenv(VARIABLE, "kubernetes:1")
    assert (provider(), setting()) == (None, {})


def test_without_the_file_the_engine_finds_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have it from elsewhere, or install it first."""
    monkeypatch.setenv("PULUMI_HOME", str(home / "elsewhere"))
    assert setting() == {}
