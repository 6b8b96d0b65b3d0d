"""Whose lab it is: a copied checkout does not take the copy for its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab import environment
from lab.errors import LabError
from lab.lifecycle import status
from lab.paths import LabPaths


def test_a_copied_checkout_has_no_lab(tmp_path: Path) -> None:
    """Its .weir came along, with another cluster's kubeconfig and the state of that one's stacks: no shell is set on
    it, and how to go on is said.
    """
    own = LabPaths(tmp_path / "own")
    own.settle()
    own.lab.mkdir()
    own.kubeconfig.write_text("{}")
    assert environment.settings(own)["KUBECONFIG"] == str(own.kubeconfig)
    shutil.copytree(own.project, tmp_path / "copy")
    copy = LabPaths(tmp_path / "copy")
    for ask in (environment.settings, status):
        with pytest.raises(
            LabError,
            match=f"belongs to the lab of {own.project} and was copied here.*rm -r {copy.weir}, then weir lab up",
        ):
            ask(copy)
    shutil.rmtree(copy.weir)
    with pytest.raises(LabError, match="there is no lab in this checkout yet"):
        environment.settings(copy)
