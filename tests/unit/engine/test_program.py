"""The project's program, served to the engine: what it asks is answered once the program's imports are there, or with what keeps them from it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import language_pb2
from pulumi.runtime.proto.language_pb2_grpc import LanguageRuntimeStub

from weir.engine.program import can_serve, imported, serving


def project(directory: Path, program: str, environment: str = ".venv") -> Path:
    """A project with this program, whose virtual environment is this one."""
    (directory / "Pulumi.yaml").write_text(f"name: weir\nruntime: {{name: python, options: {{virtualenv: {environment}}}}}\n")
    (directory / "__main__.py").write_text(program)
    (directory / ".venv").symlink_to(sys.prefix)
    return directory


def test_the_engine_is_answered_in_the_projects_directory(tmp_path: Path) -> None:
    """While the block runs the project is the working directory and first on the path; afterwards all is as before."""
    before, path = Path.cwd(), list(sys.path)
    (tmp_path / "beside.py").write_text("")
    with serving(project(tmp_path, "import beside\n")) as served, grpc.insecure_channel(served.address) as channel:
        stub = LanguageRuntimeStub(channel)
        stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(), timeout=30)
        assert Path.cwd() == tmp_path
        assert "beside" in sys.modules
        assert not served.updated
    assert (Path.cwd(), sys.path) == (before, path)
    del sys.modules["beside"]


def test_what_keeps_a_program_from_loading_is_said(tmp_path: Path) -> None:
    """A program whose imports fail does not keep the engine waiting: the answer names the file and the reason."""
    with serving(project(tmp_path, "import nowhere_to_be_found\n")) as served, grpc.insecure_channel(served.address) as channel:
        stub = LanguageRuntimeStub(channel)
        with pytest.raises(grpc.RpcError) as failed:
            stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(), timeout=30)
    assert "__main__.py: ModuleNotFoundError: No module named 'nowhere_to_be_found'" in str(failed.value)


def test_only_this_python_serves(tmp_path: Path) -> None:
    """Where the project names another environment, or none, a language host has to run the program."""
    assert can_serve(project(tmp_path, ""))
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: {name: python, options: {virtualenv: other}}\n")
    assert not can_serve(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    assert not can_serve(tmp_path)


def test_what_a_program_imports_is_read_from_its_top(tmp_path: Path) -> None:
    """Modules by both forms of import; what is imported inside of functions is not needed at the start."""
    (tmp_path / "__main__.py").write_text(
        "from __future__ import annotations\nimport os, json as j\nfrom weir.model import load\ndef f():\n    import re\n"
    )
    assert imported(tmp_path / "__main__.py") == ["os", "json", "weir.model"]
    assert os.environ.get("GRPC_VERBOSITY")
